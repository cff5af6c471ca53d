"""Mail: the queue. A mail is one row, written in the transaction of what it tells of, and sent after the commit.

1. A row says what is to be told to which address, not the words. They are written when it is sent: a link's hour
   begins then, no link lies in the database, and a mail that has become pointless is none.
2. Whoever asks for a link by an address gets a row whether or not that address has an account. So the answer is the
   same, and takes the same time.
3. A row is taken by one process at a time, for a while. Is that process killed, another takes it after that; only
   between the mail server's answer and our note of it can a mail be sent twice.
"""

from __future__ import annotations

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


def queue(writing: Writing, kind: Kind, address: str, user_id: UUID | None = None, about: str | None = None) -> None:
    """To be sent once this transaction has committed."""
    now = datetime.now(UTC)
    writing.add(Mail(kind=kind, address=address, user_id=user_id, about=about, created_at=now, due_at=now))


async def is_due(reading: Reading) -> bool:
    """Whether there is a mail to take: asked often, and without a lock."""
    due = select(Mail.id).where(Mail.due_at <= datetime.now(UTC)).limit(1)
    return await reading.scalar(due) is not None


async def waiting(reading: Reading) -> tuple[int, float]:
    """(how many mails are not sent yet, how many seconds the oldest of them has waited)."""
    query = select(func.count(), func.min(Mail.created_at)).where(Mail.due_at.is_not(None))
    count, oldest = (await reading.execute(query)).one()
    return count, (datetime.now(UTC) - oldest).total_seconds() if count else 0.0


async def take(writing: Writing) -> Mail | None:
    """The mail that is due longest, now this process's for a while (3)."""
    now = datetime.now(UTC)
    due = select(Mail).where(Mail.due_at <= now).order_by(Mail.due_at).limit(1).with_for_update(skip_locked=True)
    mail = await writing.scalar(due)
    if mail:
        mail.attempts += 1
        mail.due_at = now + CLAIM
    return mail


async def put_back(writing: Writing, mail: Mail) -> bool:
    """After a failure: due again later. Answers False for one that is given up instead."""
    if datetime.now(UTC) - mail.created_at > PATIENCE:
        await discard(writing, mail)
        return False
    first, last = AGAIN
    wait = min(first * 2 ** min(mail.attempts - 1, 20), last)
    await writing.execute(update(Mail).where(Mail.id == mail.id).values(due_at=datetime.now(UTC) + wait))
    return True


async def discard(writing: Writing, mail: Mail) -> None:
    """Sent, pointless or given up: nothing of it is kept."""
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
    """Drop what nobody could send or write for so long."""
    await writing.execute(delete(Mail).where(Mail.sent_at.is_(None), Mail.created_at < datetime.now(UTC) - DROPPED))
