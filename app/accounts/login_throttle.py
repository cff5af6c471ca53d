"""Locks: who guesses passwords is slowed down, by the account that is guessed at.

1. Failures are counted for an address as it was typed, whether or not it has an account: what an attacker sees tells
   him nothing of who is here.
2. Counted atomically, and looked at again under the count's lock, whether the password was wrong or right: a thousand
   guesses at once learn no more than a thousand in a row.
3. A stranger cannot lock an owner out for good. A browser in which the owner has signed in before carries a device
   cookie, and has a count of its own (OWASP: "Slow Down Online Guessing Attacks with Device Cookies"); a lock ends by
   itself within the hour, and by a link in the mail at once; and a new password may be had while it lasts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import String, bindparam, delete, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant, Reading, Writing
from app.errors import TooMany
from app.live.signing import fingerprint

MOST = 10  # failures in a row; the last one locks
FIRST = timedelta(minutes=1)  # the first lock; each failure after it doubles it, up to the longest
LONGEST = timedelta(hours=1)
FORGOTTEN = timedelta(days=1)  # after the last failure


class Failures(Base):
    """How often in a row somebody was wrong about a password."""

    __tablename__ = "failures"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(Instant)
    failed_at: Mapped[datetime] = mapped_column(Instant, index=True)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)


def key_of(kind: str, of: str) -> str:
    """What failures are counted under: an address, a device, an account. As a digest: it may be anybody's address."""
    return fingerprint(kind, of)


async def refuse_locked(reading: Reading, key: str) -> None:
    """Raises TooMany while a lock lasts."""
    failures = await reading.get(Failures, key, populate_existing=True)
    if failures and (seconds := _remaining(failures)) > 0:
        raise TooMany(seconds)


async def count_failure(writing: Writing, key: str) -> bool:
    """One more failure. Answers whether it was the one that locks for the first time in a row.

    Raises TooMany, for the caller to roll back, where there is a lock already (2).
    """
    now = datetime.now(UTC)
    values = {"key": key, "now": now, "forgotten": now - FORGOTTEN}
    count: int = (await writing.execute(_COUNT, values)).scalar_one()
    await refuse_locked(writing, key)
    if count >= MOST:
        lock = min(FIRST * 2 ** min(count - MOST, 10), LONGEST)
        await writing.execute(update(Failures).where(Failures.key == key).values(locked_until=now + lock))
    return count == MOST


async def forgive(writing: Writing, *keys: str) -> None:
    await writing.execute(delete(Failures).where(Failures.key.in_(keys)))


async def lock_of(reading: Reading, email: str) -> str | None:
    """A name for the run of failures that locks this address; None where it does not.

    Until the run is forgiven, or forgotten, the next failure locks again at once; so it can be lifted in between, too.
    """
    failures = await reading.get(Failures, key_of("address", email))
    locks = failures and failures.count >= MOST and failures.failed_at > datetime.now(UTC) - FORGOTTEN
    return failures.began_at.isoformat() if failures and locks else None


async def prune(writing: Writing) -> None:
    await writing.execute(delete(Failures).where(Failures.failed_at < datetime.now(UTC) - FORGOTTEN))


def _remaining(failures: Failures) -> float:
    until = failures.locked_until
    return (until - datetime.now(UTC)).total_seconds() if until else 0


# Its row lock is held to the commit, like a topic's counter.
_COUNT = text(
    "INSERT INTO failures (key, count, began_at, failed_at) VALUES (:key, 1, :now, :now)"
    " ON CONFLICT (key) DO UPDATE SET failed_at = :now,"
    " count = CASE WHEN failures.failed_at < :forgotten THEN 1 ELSE failures.count + 1 END,"
    " began_at = CASE WHEN failures.failed_at < :forgotten THEN :now ELSE failures.began_at END,"
    " locked_until = CASE WHEN failures.failed_at < :forgotten THEN NULL ELSE failures.locked_until END"
    " RETURNING count"
).bindparams(bindparam("now", type_=Instant), bindparam("forgotten", type_=Instant))
