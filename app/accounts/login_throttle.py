"""Login throttling: failed passwords are counted per account and per device, and too many of them lock.

1. Failures are counted for an address as it was typed, whether or not it has an account. So a lock does not reveal
   which addresses have accounts.
2. A failure is counted atomically, and the lock is checked again under the counter's row lock, for wrong and for right
   passwords. So a thousand parallel guesses reveal no more than a thousand in a row.
3. A stranger cannot lock an owner out permanently. A browser in which the owner has signed in carries a device cookie,
   and has a separate count (OWASP: "Slow Down Online Guessing Attacks with Device Cookies"). A lock ends within an
   hour, or at once by a mailed link. The owner can also reset the password during a lock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import String, bindparam, delete, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.backoff import backoff
from app.database import Base, Instant, Reading, Writing
from app.errors import TooMany
from app.live.signing import fingerprint

MAX_FAILURES = 10  # consecutive failures; the last one locks
FIRST_LOCK = timedelta(minutes=1)  # the first lock; each further failure doubles it, up to LONGEST_LOCK
LONGEST_LOCK = timedelta(hours=1)
FAILURES_EXPIRE_AFTER = timedelta(days=1)  # after the last failure


class Failures(Base):
    """The number of consecutive failures for one key."""

    __tablename__ = "failures"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(Instant)
    failed_at: Mapped[datetime] = mapped_column(Instant, index=True)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)


def key_of(kind: str, of: str) -> str:
    """The key of a counter: `kind` is "address", "device" or "account". A digest, so that no address is stored."""
    return fingerprint(kind, of)


async def refuse_locked(reading: Reading, key: str) -> None:
    """Raises TooMany while a lock lasts."""
    failures = await reading.get(Failures, key, populate_existing=True)
    if failures and failures.locked_until and (left := failures.locked_until - datetime.now(UTC)) > timedelta(0):
        raise TooMany(left.total_seconds())


async def count_failure(writing: Writing, key: str) -> bool:
    """Count a failure. Returns whether it set the first lock of its series.

    Raises TooMany if the key is already locked (2). The caller then rolls back.
    """
    now = datetime.now(UTC)
    values = {"key": key, "now": now, "forgotten": now - FAILURES_EXPIRE_AFTER}
    count: int = (await writing.execute(_COUNT, values)).scalar_one()
    await refuse_locked(writing, key)
    if count >= MAX_FAILURES:
        lock = backoff(count - MAX_FAILURES + 1, FIRST_LOCK, LONGEST_LOCK)
        await writing.execute(update(Failures).where(Failures.key == key).values(locked_until=now + lock))
    return count == MAX_FAILURES


async def clear_failures(writing: Writing, *keys: str) -> None:
    await writing.execute(delete(Failures).where(Failures.key.in_(keys)))


async def read_lock(reading: Reading, email: str) -> str | None:
    """An id of the series of failures that locks this address, or None.

    Until the series is cleared or outdated, the next failure locks again at once. So a series can be cleared between
    two of its locks, too.
    """
    failures = await reading.get(Failures, key_of("address", email))
    oldest = datetime.now(UTC) - FAILURES_EXPIRE_AFTER
    locks = failures and failures.count >= MAX_FAILURES and failures.failed_at > oldest
    return failures.began_at.isoformat() if failures and locks else None


async def prune(writing: Writing) -> None:
    await writing.execute(delete(Failures).where(Failures.failed_at < datetime.now(UTC) - FAILURES_EXPIRE_AFTER))


# The statement holds its row lock until the commit, like a topic's counter.
_COUNT = text(
    "INSERT INTO failures (key, count, began_at, failed_at) VALUES (:key, 1, :now, :now)"
    " ON CONFLICT (key) DO UPDATE SET failed_at = :now,"
    " count = CASE WHEN failures.failed_at < :forgotten THEN 1 ELSE failures.count + 1 END,"
    " began_at = CASE WHEN failures.failed_at < :forgotten THEN :now ELSE failures.began_at END,"
    " locked_until = CASE WHEN failures.failed_at < :forgotten THEN NULL ELSE failures.locked_until END"
    " RETURNING count"
).bindparams(bindparam("now", type_=Instant), bindparam("forgotten", type_=Instant))
