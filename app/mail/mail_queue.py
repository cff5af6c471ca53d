"""Mail: the queue. A mail is one row, written in the transaction of what it tells of, and sent after the commit.

1. A row says what is to be told to which address, not the words. They are written when it is sent: a link's hour
   begins then, no link lies in the database, and a mail that has become pointless is none.
2. Whoever asks for a link by an address gets a row whether or not that address has an account. So the answer is the
   same, and takes the same time.
3. A row is taken by one process at a time, for a while. Is that process killed, another takes it after that; only
   between the mail server's answer and our note of it can a mail be sent twice.
4. A mail that can never be sent becomes a dead letter: it leaves the queue, and is kept for a while so that an operator
   can see what failed. After a failure that may be temporary, the mail is retried with growing waits, for two days.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant, Reading, Writing

PATIENCE = timedelta(days=2)  # with a mail server that refuses; then a mail is given up
DROPPED = 2 * PATIENCE  # what could not even be tried
CLAIM = timedelta(minutes=5)  # that one process has for one mail
AGAIN = (timedelta(seconds=20), timedelta(hours=2))  # the first wait after a failure, doubled up to the last
KEPT = 100  # sent mails that are kept, where they are kept
DEAD_LETTERS_KEPT = timedelta(days=30)
MAX_DEAD_LETTERS = 1_000  # the newest; older ones are dropped


class Kind(StrEnum):
    """What is told."""

    CONFIRM = "confirm"  # is this address yours?
    CONFIRM_CHANGE = "confirm_change"  # the same, of one that is to take the place of another
    CHANGING = "changing"  # to the old address: there is to be another, `about`
    CHANGED = "changed"  # to the old address: it is another now, `about`
    TAKEN = "taken"  # somebody gave your address as theirs
    RESET = "reset"  # a link to choose a new password
    PASSWORD = "password"  # it was changed
    UNLOCK = "unlock"  # a link that ends a lock
    DELETED = "deleted"  # the account is gone


class Mail(Base):
    """A mail to be sent, or (where they are kept) one that was."""

    __tablename__ = "mails"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(String(30))
    address: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[UUID | None]  # None: of whoever has this address then, if anybody
    about: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    subject: Mapped[str | None] = mapped_column(String(200))
    text: Mapped[str | None] = mapped_column(Text)


class DeadLetter(Base):
    """A mail that will not be sent, and why. It has no text and no link: those are only written when a mail is sent."""

    __tablename__ = "dead_letters"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # the id that the mail had
    kind: Mapped[str] = mapped_column(String(30))
    address: Mapped[str] = mapped_column(String(254))
    reason: Mapped[str] = mapped_column(String(100))  # our own words; never text of a mail server
    attempts: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    died_at: Mapped[datetime] = mapped_column(Instant, index=True)


def queue(writing: Writing, kind: Kind, address: str, user_id: UUID | None = None, about: str | None = None) -> None:
    """To be sent once this transaction has committed."""
    now = datetime.now(UTC)
    writing.add(Mail(kind=kind, address=address, user_id=user_id, about=about, created_at=now, due_at=now))


async def is_due(reading: Reading, busy: Collection[str] = ()) -> bool:
    """Whether there is a mail to take: asked often, and without a lock."""
    due = select(Mail.id).where(Mail.due_at <= datetime.now(UTC), Mail.address.not_in(busy)).limit(1)
    return await reading.scalar(due) is not None


async def waiting(reading: Reading) -> tuple[int, float]:
    """(how many mails are not sent yet, how many seconds the oldest of them has waited)."""
    query = select(func.count(), func.min(Mail.created_at)).where(Mail.due_at.is_not(None))
    count, oldest = (await reading.execute(query)).one()
    return count, (datetime.now(UTC) - oldest).total_seconds() if count else 0.0


async def count_dead_letters(reading: Reading) -> int:
    return await reading.scalar(select(func.count()).select_from(DeadLetter)) or 0


async def dead_letters(reading: Reading, limit: int) -> list[DeadLetter]:
    """Mails that will not be sent, the newest first."""
    newest = select(DeadLetter).order_by(DeadLetter.died_at.desc(), DeadLetter.id).limit(limit)
    return list((await reading.scalars(newest)).all())


async def take(writing: Writing, busy: Collection[str] = ()) -> Mail | None:
    """Claim the mail that has been due longest, for a while (3). Mails to `busy` addresses are left."""
    now = datetime.now(UTC)
    due = select(Mail).where(Mail.due_at <= now, Mail.address.not_in(busy))
    due = due.order_by(Mail.due_at).limit(1).with_for_update(skip_locked=True)
    mail = await writing.scalar(due)
    if mail:
        mail.attempts += 1
        mail.due_at = now + CLAIM
    return mail


async def put_back(writing: Writing, mail: Mail, reason: str) -> bool:
    """Make the mail due again later, after a temporary failure. Returns False if it became a dead letter (4)."""
    if datetime.now(UTC) - mail.created_at > PATIENCE:
        await set_aside(writing, mail, reason)
        return False
    first, last = AGAIN
    wait = min(first * 2 ** min(mail.attempts - 1, 20), last)
    await writing.execute(update(Mail).where(Mail.id == mail.id).values(due_at=datetime.now(UTC) + wait))
    return True


async def set_aside(writing: Writing, mail: Mail, reason: str) -> None:
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
    """Sent or pointless: nothing of it is kept."""
    await writing.execute(delete(Mail).where(Mail.id == mail.id))


async def keep(writing: Writing, mail: Mail, subject: str, text: str) -> None:
    """Sent, and kept to be looked at in development: the newest few."""
    sent = {"due_at": None, "sent_at": datetime.now(UTC), "subject": subject, "text": text}
    await writing.execute(update(Mail).where(Mail.id == mail.id).values(sent))
    newest = select(Mail.id).where(Mail.sent_at.is_not(None)).order_by(Mail.sent_at.desc()).limit(KEPT)
    await writing.execute(delete(Mail).where(Mail.sent_at.is_not(None), Mail.id.not_in(newest)))


async def kept(reading: Reading) -> list[Mail]:
    """The mails that were sent, newest first."""
    query = select(Mail).where(Mail.sent_at.is_not(None)).order_by(Mail.sent_at.desc(), Mail.id)
    return list((await reading.scalars(query)).all())


async def prune(writing: Writing) -> None:
    """Drop mails that could not be sent or written for too long, and old dead letters."""
    now = datetime.now(UTC)
    await writing.execute(delete(Mail).where(Mail.sent_at.is_(None), Mail.created_at < now - DROPPED))
    newest = select(DeadLetter.id).order_by(DeadLetter.died_at.desc()).limit(MAX_DEAD_LETTERS)
    too_old = DeadLetter.died_at < now - DEAD_LETTERS_KEPT
    await writing.execute(delete(DeadLetter).where(too_old | DeadLetter.id.not_in(newest)))
