"""The mail queue. A mail is one row, written in the transaction of its cause, and sent after the commit.

1. A row has the kind and the address of an e-mail, not its text. The mailer writes the text when it sends the mail. So
   a link's lifetime begins then, no link is stored in the database, and a mail that is no longer needed is dropped.
2. A request for a link to an address queues a mail whether or not that address has an account. So the response is the
   same, and takes the same time.
3. One process claims a row for a limited time. If the process is killed, another one claims it after that time. A mail
   is sent twice only if the process is killed after the mail server's reply and before the row is deleted.
4. A mail that can never be sent becomes a dead letter: it leaves the queue, and is stored for a while so that an
   operator can see the failure. After a failure that may be temporary, the mail is retried with back-off, for two days.
5. Urgent mails are claimed before bulk mails, and these before mails to followers. So a reset link never waits for
   thousands of mails about replies, and a mail about a reply never waits for thousands of followers.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Index, Select, SmallInteger, String, Text, delete, func, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.backoff import backoff
from app.database import Base, Instant, Reading, Writing

RETRY_PERIOD = timedelta(days=2)  # of retries; after that a mail becomes a dead letter
MAX_UNSENT_AGE = 2 * RETRY_PERIOD  # age at which a mail that was never tried is dropped
CLAIM_PERIOD = timedelta(minutes=5)  # how long one process may take for one mail (3)
RETRY_WAITS = (timedelta(seconds=20), timedelta(hours=2))  # the first and the longest; each is twice the last one
MAX_SENT = 100  # sent mails that development stores
DEAD_LETTER_RETENTION = timedelta(days=30)
MAX_DEAD_LETTERS = 1_000  # the newest; older ones are dropped


class Kind(StrEnum):
    """The kind of an e-mail; `templates/` has the texts."""

    CONFIRM = "confirm"  # confirm the address of a new account
    CONFIRM_CHANGE = "confirm_change"  # confirm a new address of an account
    CHANGING = "changing"  # to the old address: a change to the address `about` was requested
    CHANGED = "changed"  # to the old address: the address is now `about`
    TAKEN = "taken"  # somebody tried to use an address that has an account
    RESET = "reset"  # a link to choose a new password
    PASSWORD = "password"  # the password was changed
    UNLOCK = "unlock"  # a link that lifts a lock
    DELETED = "deleted"  # the account was deleted
    REPLIES = "replies"  # new replies and mentions in one conversation
    FOLLOWED = "followed"  # new comments in a followed conversation
    DIGEST = "digest"  # a day's replies, mentions and comments, of all conversations
    MODERATOR = "moderator"  # news for a moderator: of the kind `about`, or a day's


class Priority(IntEnum):
    """Mails of a smaller number are claimed first (5)."""

    URGENT = 0  # a person may wait for it
    BULK = 1
    FOLLOWERS = 2  # one comment may cause thousands of these


class Mail(Base):
    """A mail to be sent. In development, also a mail that was sent."""

    __tablename__ = "mails"
    __table_args__ = (Index(None, "priority", "due_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(String(30))
    address: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[UUID | None]  # None: the account that has this address when the mail is sent
    about: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    priority: Mapped[int] = mapped_column(SmallInteger, default=Priority.URGENT, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    subject: Mapped[str | None] = mapped_column(String(200))
    text: Mapped[str | None] = mapped_column(Text)


class DeadLetter(Base):
    """A mail that will not be sent, and the reason. It has no text and no link: they are written only for sending."""

    __tablename__ = "dead_letters"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # the id that the mail had
    kind: Mapped[str] = mapped_column(String(30))
    address: Mapped[str] = mapped_column(String(254))
    reason: Mapped[str] = mapped_column(String(100))  # written by Parley; never text from a mail server
    attempts: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    died_at: Mapped[datetime] = mapped_column(Instant, index=True)


def queue(
    writing: Writing,
    kind: Kind,
    address: str,
    user_id: UUID | None = None,
    about: str | None = None,
    priority: Priority = Priority.URGENT,
) -> UUID:
    """Add a mail to the queue, and return its id. It is sent after this transaction commits."""
    now, id_ = datetime.now(UTC), uuid4()
    mail = {"id": id_, "kind": kind, "address": address, "user_id": user_id, "about": about, "priority": priority}
    writing.add(Mail(**mail, created_at=now, due_at=now))
    return id_


async def is_due(reading: Reading, busy: Collection[str] = (), last: Priority = Priority.FOLLOWERS) -> bool:
    """Whether a mail is due. It takes no lock, because it is called often."""
    return await reading.scalar(_due(busy, last).with_only_columns(Mail.id)) is not None


async def count_waiting(reading: Reading) -> tuple[int, float]:
    """(the number of unsent mails, the age of the oldest of them in seconds)."""
    query = select(func.count(), func.min(Mail.created_at)).where(Mail.due_at.is_not(None))
    count, oldest = (await reading.execute(query)).one()
    return count, (datetime.now(UTC) - oldest).total_seconds() if count else 0.0


async def count_dead_letters(reading: Reading) -> int:
    return await reading.scalar(select(func.count()).select_from(DeadLetter)) or 0


async def dead_letters(reading: Reading, limit: int) -> list[DeadLetter]:
    """Mails that will not be sent, the newest first."""
    newest = select(DeadLetter).order_by(DeadLetter.died_at.desc(), DeadLetter.id).limit(limit)
    return list((await reading.scalars(newest)).all())


async def claim(writing: Writing, busy: Collection[str] = (), last: Priority = Priority.FOLLOWERS) -> Mail | None:
    """Claim the mail that has been due longest among the most urgent ones, for a while (3, 5). Skips mails to `busy`
    addresses, and those of a later priority than `last`."""
    mail = await writing.scalar(_due(busy, last).with_for_update(skip_locked=True))
    if mail:
        mail.attempts += 1
        mail.due_at = datetime.now(UTC) + CLAIM_PERIOD
    return mail


def _due(busy: Collection[str], last: Priority) -> Select[Mail]:
    due = select(Mail).where(Mail.due_at <= datetime.now(UTC), Mail.address.not_in(busy), Mail.priority <= last)
    return due.order_by(Mail.priority, Mail.due_at).limit(1)


async def retry_later(writing: Writing, mail: Mail, reason: str) -> bool:
    """Make the mail due again later, after a temporary failure. Returns False if it became a dead letter (4)."""
    if datetime.now(UTC) - mail.created_at > RETRY_PERIOD:
        await make_dead_letter(writing, mail, reason)
        return False
    due = datetime.now(UTC) + backoff(mail.attempts, *RETRY_WAITS)
    await writing.execute(update(Mail).where(Mail.id == mail.id).values(due_at=due))
    return True


async def make_dead_letter(writing: Writing, mail: Mail, reason: str) -> None:
    """Turn the mail into a dead letter: it will not be sent (4)."""
    await discard(writing, mail)
    writing.add(
        DeadLetter(
            id=mail.id, kind=mail.kind, address=mail.address, reason=reason[:100], attempts=mail.attempts,
            created_at=mail.created_at, died_at=datetime.now(UTC),
        )
    )  # fmt: skip


async def forget_dead_letters(writing: Writing, address: str) -> None:
    """Remove the address from its dead letters, because its account was deleted."""
    await writing.execute(delete(DeadLetter).where(DeadLetter.address == address))


async def discard(writing: Writing, mail: Mail) -> None:
    """Delete a mail that was sent or is no longer needed."""
    await writing.execute(delete(Mail).where(Mail.id == mail.id))


async def store_sent(writing: Writing, mail: Mail, subject: str, text: str) -> None:
    """Store a sent mail with its text, for development. Only the newest `MAX_SENT` stay."""
    sent = {"due_at": None, "sent_at": datetime.now(UTC), "subject": subject, "text": text}
    await writing.execute(update(Mail).where(Mail.id == mail.id).values(sent))
    newest = select(Mail.id).where(Mail.sent_at.is_not(None)).order_by(Mail.sent_at.desc()).limit(MAX_SENT)
    await writing.execute(delete(Mail).where(Mail.sent_at.is_not(None), Mail.id.not_in(newest)))


async def list_sent(reading: Reading) -> list[Mail]:
    """The mails that were sent, newest first."""
    query = select(Mail).where(Mail.sent_at.is_not(None)).order_by(Mail.sent_at.desc(), Mail.id)
    return list((await reading.scalars(query)).all())


async def prune(writing: Writing) -> None:
    """Drop mails that could not be sent or written for too long, and old dead letters."""
    now = datetime.now(UTC)
    await writing.execute(delete(Mail).where(Mail.sent_at.is_(None), Mail.created_at < now - MAX_UNSENT_AGE))
    newest = select(DeadLetter.id).order_by(DeadLetter.died_at.desc()).limit(MAX_DEAD_LETTERS)
    too_old = DeadLetter.died_at < now - DEAD_LETTER_RETENTION
    await writing.execute(delete(DeadLetter).where(too_old | DeadLetter.id.not_in(newest)))
