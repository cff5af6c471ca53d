"""Queueing: finds notifications whose mail is due, and queues one mail for each group of them.

A notification waits for mail from the transaction of its comment on (`mail_due_at`), so the comment's author waits for
nothing here. A group is what one mail contains: an account's waiting notifications of one conversation, or all of them
if the account wants a daily digest.

1. One transaction queues the mail, and marks its notifications (`mail_id`). A process that is killed before the commit
   leaves both as they were. So each notification is in one mail, and `app.mail` sends each mail at least once.
2. The row in `last_mails` is locked first. So two processes cannot both queue a mail of one group, and the second one
   sees when the first one did.
3. A notification that another transaction has locked is skipped, and found again by the next poll. Waiting for it could
   deadlock with a request that marks many of them as read.
4. The mail's text is written when it is sent, from the notifications that are still wanted then (`wanted`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, String, bindparam, delete, exists, select, text, update
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from app.accounts.user import MailChoice, User
from app.database import Base, Instant, Writing, log_error
from app.live.model import MAX_TOPIC_LENGTH
from app.live.service import Parley
from app.mail import mail_queue
from app.mail.mail_queue import Kind
from app.notifications.mutes import Mute
from app.notifications.notifications import About, Notification
from app.reply_mail import muted_conversations
from app.reply_mail.muted_conversations import MutedConversation
from app.reply_mail.schedule import LONGEST_WAIT, next_digest_at, next_mail_at

POLL_SECONDS = 5.0  # seconds between two polls if nothing is due, with a jitter of 20%
MAX_IN_MAIL = 200  # notifications in one mail; the others wait for the next one
ALL_PLACES = ""  # the place of a digest
KEPT = timedelta(days=2)  # how long the time of a mail is stored; longer than it delays another mail

log = logging.getLogger(__name__)


class LastMail(Base):
    """When an account last got a mail about a conversation. The process that queues the next one locks this row (2).

    `app.moderator_mail` has rows here, too, with words in place of a topic.
    """

    __tablename__ = "last_mails"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH), primary_key=True)
    mailed_at: Mapped[datetime | None] = mapped_column(Instant, index=True)


async def keep_queueing(parley: Parley) -> None:
    """Queue mails that are due. This never returns, unless no mail can be sent."""
    while parley.settings.sends_mail:
        try:
            if await queue_next(parley):
                continue
        except Exception as error:
            log_error(log, error, "mail about replies")
        await asyncio.sleep(POLL_SECONDS * random.uniform(0.8, 1.2))


async def queue_next(parley: Parley) -> bool:
    """Decide about the group whose mail has been due longest. Returns False if nothing is due, or nothing was done."""
    due = select(Notification).where(Notification.mail_due_at <= datetime.now(UTC))
    async with parley.reading() as reading:
        first = await reading.scalar(due.order_by(Notification.mail_due_at).limit(1))
    return first is not None and await parley.own(_decide(parley, first))


def choice_of(user: User | None, about: str) -> MailChoice:
    """When this account gets mail about replies, or mentions. An unconfirmed address gets none."""
    if user is None or not user.gets_bulk_mail:
        return MailChoice.NEVER
    return MailChoice(user.mail_on_reply if about == About.REPLY else user.mail_on_mention)


def wanted(user_id: UUID) -> ColumnElement[bool]:
    """Whether mail may still contain a notification of this account (4)."""
    is_author_muted = exists().where(Mute.user_id == user_id, Mute.muted_id == Notification.actor_id)
    muted = MutedConversation
    is_place_muted = exists().where(muted.user_id == user_id, muted.place == Notification.place)
    is_unread = Notification.read_at.is_(None) & Notification.deleted_at.is_(None)
    return is_unread & ~is_author_muted & ~is_place_muted


async def _decide(parley: Parley, first: Notification) -> bool:
    """Queue the mail of this notification's group, or postpone it, or drop what needs no mail."""
    now = datetime.now(UTC)
    async with parley.database.transaction() as writing, writing.begin():
        user = await writing.get(User, first.user_id)
        choice = choice_of(user, first.kind)
        place = first.place if choice is MailChoice.AT_ONCE else ALL_PLACES
        last = None if choice is MailChoice.NEVER else await lock_group(writing, first.user_id, place)  # (2)
        kinds = [about for about in About if choice_of(user, about) is choice]
        waiting = select(Notification, wanted(first.user_id)).where(
            Notification.user_id == first.user_id, Notification.mail_due_at.is_not(None), Notification.kind.in_(kinds)
        )
        if place:
            waiting = waiting.where(Notification.place == place)
        waiting = waiting.order_by(Notification.created_at).limit(MAX_IN_MAIL)
        waiting = waiting.with_for_update(of=Notification, skip_locked=True)  # (3)
        found = (await writing.execute(waiting)).all()
        kept = [row for row, is_wanted in found if is_wanted and choice is not MailChoice.NEVER]
        dropped = {row.id for row, _ in found} - {row.id for row in kept}
        await _set(writing, dropped, mail_due_at=None)
        due = [row.id for row in kept if row.mail_due_at and row.mail_due_at <= now]
        if user is None or not due:
            return bool(dropped)
        at = next_mail_at(now, last) if place else next_digest_at(now, last, kept[0].created_at)
        if at > now:
            await _set(writing, due, mail_due_at=at)
            return True
        mail_id = mail_queue.queue(writing, Kind.REPLIES if place else Kind.DIGEST, user.email, user.id)
        await _set(writing, [row.id for row in kept], mail_due_at=None, mail_id=mail_id)  # (1)
        await note_mail(writing, user.id, place, now)
    return True


async def lock_group(writing: Writing, user_id: UUID, place: str) -> datetime | None:
    """Lock the group until the commit. Returns the time of its last mail."""
    mailed_at: datetime | None = (await writing.execute(_LOCK, {"user_id": user_id, "place": place})).scalar_one()
    return mailed_at


async def note_mail(writing: Writing, user_id: UUID, place: str, now: datetime) -> None:
    """Store the time of the mail that this transaction queues. The group is locked."""
    this = (LastMail.user_id == user_id, LastMail.place == place)
    await writing.execute(update(LastMail).where(*this).values(mailed_at=now))


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
        delay = timedelta(seconds=parley.settings.reply_mail_delay_seconds)
        stuck = Notification.mail_due_at > now + max(LONGEST_WAIT, delay)
        cannot_be_sent = Notification.mail_due_at <= now
        late = select(Notification.id).where(stuck if parley.settings.sends_mail else cannot_be_sent)
        late = late.limit(10 * MAX_IN_MAIL).with_for_update(skip_locked=True)
        ids = (await writing.scalars(late)).all()
        await _set(writing, ids, mail_due_at=now if parley.settings.sends_mail else None)


async def clean_up_account(writing: Writing, user_id: UUID) -> None:
    """Remove what is stored about mail to a deleted account."""
    await writing.execute(delete(LastMail).where(LastMail.user_id == user_id))
    await muted_conversations.clean_up_account(writing, user_id)


_LOCK = (
    text(
        "INSERT INTO last_mails (user_id, place) VALUES (:user_id, :place)"
        " ON CONFLICT (user_id, place) DO UPDATE SET place = excluded.place RETURNING mailed_at"
    )
    .bindparams(bindparam("user_id", type_=Uuid()))
    .columns(mailed_at=Instant)
)
