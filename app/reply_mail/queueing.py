"""Queueing: finds notifications whose mail is due, and queues one mail for each group of them.

A notification waits for mail from the transaction of its comment on (`mail_due_at`), so the comment's author waits for
nothing here. A group is what one mail contains: an account's waiting notifications of one conversation, or all of them
if the account wants a daily digest. Follows of these conversations that wait for mail belong to the group, too
(`followers`).

1. One transaction queues the mail, and marks its notifications (`mail_id`). A process that is killed before the commit
   leaves both as they were. So each notification is in one mail, and `app.mail` sends each mail at least once.
2. The row in `last_mails` is locked first. So two processes cannot both queue a mail of one group, and the second one
   sees when the first one did.
3. A notification or a follow that another transaction has locked is skipped, and found again by the next poll. Waiting
   for it could deadlock with a request that marks many of them as read.
4. The mail's text is written when it is sent, from the notifications that are still wanted then (`wanted`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, select, update

from app.accounts.user import MailChoice, User
from app.database import Writing
from app.live.service import Parley
from app.live.write.sequences import Counter
from app.mail import mail_queue
from app.mail.mail_queue import Kind, Priority
from app.notifications.mutes import Mute
from app.notifications.notifications import Notification
from app.polling import poll_for_work
from app.reply_mail import followers, following, last_mails, muted_conversations
from app.reply_mail.choices import CHOICES, FOLLOWED, choice_of
from app.reply_mail.follows import Follow
from app.reply_mail.last_mails import ALL_PLACES, LastMail
from app.reply_mail.muted_conversations import MutedConversation
from app.reply_mail.schedule import LONGEST_WAIT, next_digest_at, next_mail_at

POLL_SECONDS = 5.0  # seconds between two polls if nothing is due
MAX_IN_MAIL = 200  # notifications in one mail; the others wait for the next one
KEPT = timedelta(days=2)  # how long the time of a mail is stored; longer than it delays another mail

log = logging.getLogger(__name__)


async def keep_queueing(parley: Parley) -> None:
    """Queue mails that are due. This never returns, unless no mail can be sent."""
    if parley.settings.sends_mail:
        await poll_for_work(partial(queue_next, parley), log, "mail about replies", POLL_SECONDS)


async def queue_next(parley: Parley) -> bool:
    """Decide about the group whose mail has been due longest, or about a batch of followers if no other mail is due,
    or wake followers. Returns False if nothing is due, or nothing was done."""
    due = select(Notification).where(Notification.mail_due_at <= datetime.now(UTC))
    async with parley.reading() as reading:
        first = await reading.scalar(due.order_by(Notification.mail_due_at).limit(1))
        follower = None if first else await followers.first_due(reading)
    if first:
        return await parley.own(_decide(parley, first.user_id, first.kind, first.place))
    if follower is None:
        return await followers.wake_next(parley)
    if follower.alone and await parley.own(followers.queue_together(parley, follower.place)):
        return True
    return await parley.own(_decide(parley, follower.user_id, FOLLOWED, follower.place))


def wanted(user_id: UUID) -> ColumnElement[bool]:
    """Whether mail may still contain a notification of this account (4)."""
    is_author_muted = exists().where(Mute.user_id == user_id, Mute.muted_id == Notification.actor_id)
    muted = MutedConversation
    is_place_muted = exists().where(muted.user_id == user_id, muted.place == Notification.place)
    is_unread = Notification.read_at.is_(None) & Notification.deleted_at.is_(None)
    return is_unread & ~is_author_muted & ~is_place_muted


async def _decide(parley: Parley, user_id: UUID, kind: str, place: str) -> bool:
    """Queue the mail of this account's group, or postpone it, or drop what needs no mail."""
    now = datetime.now(UTC)
    async with parley.database.transaction() as writing, writing.begin():
        user = await writing.get(User, user_id)
        choice = choice_of(user, kind)
        group = place if choice is MailChoice.AT_ONCE else ALL_PLACES
        no_mail = choice is MailChoice.NEVER
        last = None if no_mail else (await last_mails.lock(writing, group, [user_id]))[user_id]  # (2)
        kinds = [each for each in CHOICES if choice_of(user, each) is choice]
        found = await _lock_notifications(writing, user_id, group, kinds)
        kept = [row for row, is_wanted in found if is_wanted and not no_mail]
        dropped = {row.id for row, _ in found} - {row.id for row in kept}
        await _set(writing, dropped, mail_due_at=None)
        followed = await followers.lock_waiting(writing, user_id, group) if FOLLOWED in kinds else []
        news = [each for each in followed if each.wanted and not no_mail]
        for each in followed:
            if each not in news:
                each.follow.decide(each.head)
        follows = [each.follow for each in news]
        times = [row.mail_due_at for row in kept] + [follow.mail_due_at for follow in follows]
        if user is None or not any(at and at <= now for at in times):
            return len(kept) + len(news) < len(found) + len(followed)
        since = min(filter(None, [row.created_at for row in kept] + [follow.waiting_since for follow in follows]))
        at = next_mail_at(now, last) if group else next_digest_at(now, last, since)
        if at > now:
            await _set(writing, [row.id for row in kept if row.mail_due_at and row.mail_due_at <= now], mail_due_at=at)
            for follow in follows:
                follow.mail_due_at = at
            return True
        alone, priority = (Kind.REPLIES, Priority.BULK) if kept else (Kind.FOLLOWED, Priority.FOLLOWERS)
        mail_id = mail_queue.queue(writing, alone if group else Kind.DIGEST, user.email, user.id, priority=priority)
        await _set(writing, [row.id for row in kept], mail_due_at=None, mail_id=mail_id)  # (1)
        for each in news:
            writing.add(each.range_of(mail_id))
            each.follow.decide(each.head)
        await last_mails.note(writing, group, [user.id], now)
    return True


async def _lock_notifications(
    writing: Writing, user_id: UUID, place: str, kinds: Collection[str]
) -> Sequence[tuple[Notification, bool]]:
    """This account's notifications that wait for mail, in one conversation or in all, and whether each is wanted."""
    theirs = [Notification.user_id == user_id, Notification.mail_due_at.is_not(None), Notification.kind.in_(kinds)]
    if place:
        theirs.append(Notification.place == place)
    waiting = select(Notification, wanted(user_id)).where(*theirs).order_by(Notification.created_at).limit(MAX_IN_MAIL)
    rows = await writing.execute(waiting.with_for_update(of=Notification, skip_locked=True))  # (3)
    return [(row, is_wanted) for row, is_wanted in rows]


async def _set(writing: Writing, ids: Collection[UUID], **values: object) -> None:
    """Nothing that is sent to clients changes, so this takes no seq."""
    if ids:
        await writing.execute(
            update(Notification)
            .where(Notification.id.in_(ids))
            .values(values)
            .execution_options(synchronize_session=False)
        )


async def clean_up(parley: Parley) -> None:
    """Forget old times, make due what another clock has postponed too long, and drop what cannot be mailed."""
    now = datetime.now(UTC)
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(delete(LastMail).where((LastMail.mailed_at < now - KEPT) | LastMail.mailed_at.is_(None)))
        stuck = Notification.mail_due_at > now + _longest_wait(parley)
        cannot_be_sent = Notification.mail_due_at <= now
        late = select(Notification.id).where(stuck if parley.settings.sends_mail else cannot_be_sent)
        late = late.limit(10 * MAX_IN_MAIL).with_for_update(skip_locked=True)
        ids = (await writing.scalars(late)).all()
        await _set(writing, ids, mail_due_at=now if parley.settings.sends_mail else None)
        await _settle_follows(parley, writing, now)


async def _settle_follows(parley: Parley, writing: Writing, now: datetime) -> None:
    """The same for followers. Without a mail server, all comments up to now count as decided."""
    if parley.settings.sends_mail:
        late = Follow.mail_due_at > now + _longest_wait(parley)
        await writing.execute(update(Follow).where(late).values(mail_due_at=now))
        return
    head = select(Counter.seq).where(Counter.name == Follow.place).correlate(Follow).scalar_subquery()
    decided = {"decided_seq": head, "mail_due_at": None, "waiting_since": None}
    await writing.execute(update(Follow).where(Follow.decided_seq < head).values(decided))


def _longest_wait(parley: Parley) -> timedelta:
    return max(LONGEST_WAIT, timedelta(seconds=parley.settings.reply_mail_delay_seconds))


async def clean_up_account(writing: Writing, user_id: UUID) -> None:
    """Remove what is stored about mail to a deleted account."""
    await following.clean_up_account(writing, user_id)
    await writing.execute(delete(LastMail).where(LastMail.user_id == user_id))
    await muted_conversations.clean_up_account(writing, user_id)
