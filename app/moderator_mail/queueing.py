"""Queueing: finds the recipients of news, and queues one mail for each group of them.

A group is what one mail contains: an account's waiting news of one kind, or of all kinds with a daily digest. The
schedule is that of mail about replies (`app.reply_mail.schedule`).

1. One transaction replaces a change by a row for each recipient. One transaction queues a mail, and marks its rows
   (`mail_id`). A process that is killed before the commit leaves everything as it was. So news is in one mail for each
   recipient, and `app.mail` sends each mail at least once.
2. The row in `last_mails` is locked first, so two processes cannot both queue a mail of one group.
3. The role, the choice and the address are checked when recipients are found, when a mail is queued, and when its text
   is written (`choice_of`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import delete, exists, func, select, update

from app.accounts.user import HAS_ROLE, MailChoice, User
from app.database import Reading
from app.live.service import Parley
from app.mail import mail_queue
from app.mail.mail_queue import Kind, Mail, Priority
from app.moderator_mail.choices import DIGEST, choice_of, daily_kinds
from app.moderator_mail.news import About, News
from app.polling import poll_for_work
from app.reply_mail import last_mails
from app.reply_mail.queueing import POLL_SECONDS
from app.reply_mail.schedule import LONGEST_WAIT, next_digest_at, next_mail_at

MAX_CHANGES = 100  # that one transaction replaces by rows for their recipients

log = logging.getLogger(__name__)


async def keep_queueing(parley: Parley) -> None:
    """Queue mails that are due. This never returns, unless no mail can be sent."""
    if parley.settings.sends_mail:
        await poll_for_work(partial(_learn_and_queue, parley), log, "mail to moderators", POLL_SECONDS)


async def _learn_and_queue(parley: Parley) -> bool:
    await learn_kinds(parley)
    return await queue_next(parley)


async def learn_kinds(parley: Parley) -> None:
    """Record only the kinds of news that some moderator wants mail about."""
    async with parley.reading() as reading:
        users = await _moderators(reading)
    parley.recording.learn(
        about for about in About if any(choice_of(user, about) != MailChoice.NEVER for user in users)
    )


async def queue_next(parley: Parley) -> bool:
    """Find the recipients of new changes, or decide about the group that has been due longest. Returns False if there
    is nothing to do, or nothing was done."""
    async with parley.reading() as reading:
        change = await reading.scalar(select(News.id).where(News.user_id.is_(None)).limit(1))
        due = select(News).where(News.due_at <= datetime.now(UTC)).order_by(News.due_at).limit(1)
        first = None if change else await reading.scalar(due)
    if change:
        return await parley.own(_find_recipients(parley))
    return first is not None and await parley.own(_decide(parley, first))


async def _find_recipients(parley: Parley) -> bool:
    """Replace changes by one row for each recipient (1)."""
    now = datetime.now(UTC)
    async with parley.database.transaction() as writing, writing.begin():
        users = await _moderators(writing)
        changes = select(News).where(News.user_id.is_(None)).order_by(News.created_at).limit(MAX_CHANGES)
        found = (await writing.scalars(changes.with_for_update(skip_locked=True))).all()
        for change in found:
            for user in users:
                if user.id != change.actor_id and choice_of(user, change.about) is not MailChoice.NEVER:
                    writing.add(_for(user, change, now))
            await writing.delete(change)
    return bool(found)


def _for(user: User, change: News, now: datetime) -> News:
    return News(
        about=change.about, object_id=change.object_id, actor_id=change.actor_id, created_at=change.created_at,
        user_id=user.id, due_at=now,
    )  # fmt: skip


async def _decide(parley: Parley, first: News) -> bool:
    """Queue the mail of this row's group, or postpone it, or drop the rows if the account does not want them."""
    now, user_id, about = datetime.now(UTC), first.user_id, first.about
    async with parley.database.transaction() as writing, writing.begin():
        user = await writing.get(User, user_id)
        choice = choice_of(user, about)
        kind = DIGEST if choice is MailChoice.DAILY else str(about)
        last = None if user is None else (await last_mails.lock(writing, _place(kind), [user.id]))[user.id]  # (2)
        kinds = daily_kinds(user) if user and kind == DIGEST else [about]
        group = (News.user_id == user_id, News.due_at.is_not(None), News.about.in_(kinds))
        if user is None or choice is MailChoice.NEVER:
            await writing.execute(delete(News).where(*group))
            return True
        oldest = await writing.scalar(select(func.min(News.created_at)).where(*group))
        if oldest is None:  # another process has queued the mail
            return True
        at = next_digest_at(now, last, oldest) if kind == DIGEST else next_mail_at(now, last)
        if at > now:
            await writing.execute(update(News).where(*group).values(due_at=at))
            return True
        mail_id = mail_queue.queue(writing, Kind.MODERATOR, user.email, user.id, kind, Priority.BULK)
        await writing.execute(update(News).where(*group).values(due_at=None, mail_id=mail_id))  # (1)
        await last_mails.note(writing, _place(kind), [user.id], now)
    return True


def _place(kind: str) -> str:
    """The name of the group in `last_mails`. No topic has such a name."""
    return f"moderator {kind}"


async def _moderators(reading: Reading) -> Sequence[User]:
    return (await reading.scalars(select(User).where(HAS_ROLE))).all()


async def clean_up(parley: Parley) -> None:
    """Drop the rows of mails that are gone, and make due what another clock has postponed too long. If no mail can be
    sent, drop what waits: otherwise old mail would be sent when it can."""
    now = datetime.now(UTC)
    async with parley.database.transaction() as writing, writing.begin():
        is_gone = News.mail_id.is_not(None) & ~exists().where(Mail.id == News.mail_id)
        await writing.execute(delete(News).where(is_gone))
        if parley.settings.sends_mail:
            await writing.execute(update(News).where(News.due_at > now + LONGEST_WAIT).values(due_at=now))
        else:
            await writing.execute(delete(News).where(News.mail_id.is_(None)))
