"""Webhook deliveries: the requests that tell WEBHOOK_URLS of changes, as rows of a queue.

1. A delivery is written in the transaction of its change, one for each URL. So no committed change is left out.
2. It names the object, and has no content. The sender reads the object when it sends. So no text is sent after it was
   erased or hidden. If the object has changed again by then, the receiver gets the newest state, and gets it once more
   with the later delivery.
3. The deliveries of one topic to one URL are sent one after the other, in the order of their seqs. The first that is
   not delivered holds up the later ones of its topic, and no other.
4. One process claims a delivery for a limited time. If it is killed, another one sends the delivery after that time. So
   a receiver gets a delivery twice only if the process died after the receiver's response. The id is the same.
5. A delivery that failed for three days is a dead letter: it is not sent any more, and the later ones continue. It is
   stored for a month, so that an operator can send it again (`parley webhooks retry`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, ColumnElement, Index, String, delete, exists, func, or_, select, update
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.backoff import backoff
from app.database import Base, Instant, Reading, Writing
from app.live.model import MAX_TOPIC_LENGTH, Live
from app.live.write.recording import Recording
from app.settings import MAX_WEBHOOK_URL_LENGTH

CLAIM_PERIOD = timedelta(minutes=1)  # how long one process may take for one request (4)
RETRY_PERIOD = timedelta(days=3)  # of retries (5)
RETRY_WAITS = (timedelta(seconds=5), timedelta(hours=6))  # the first and the longest; each is four times the last one
DEAD_LETTER_RETENTION = timedelta(days=30)
MAX_DEAD_LETTERS = 1_000  # the newest; older ones are dropped


class Delivery(Base):
    """A change that a receiver has not acknowledged."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)  # the receiver gets it as `webhook-id`
    url: Mapped[str] = mapped_column(String(MAX_WEBHOOK_URL_LENGTH))
    model: Mapped[str] = mapped_column(String(30))  # the class, as in gids
    object_id: Mapped[UUID]
    topic: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH))
    seq: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[bool]  # whether the change created the object
    changed_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime | None] = mapped_column(Instant)  # None: a dead letter
    attempts: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None] = mapped_column(Instant, index=True)  # when it became a dead letter
    error: Mapped[str] = mapped_column(String(100), default="")  # of the last attempt, in Parley's words


Index("ix_webhook_deliveries_url_due_at", Delivery.url, Delivery.due_at)
Index("ix_webhook_deliveries_url_topic_seq", Delivery.url, Delivery.topic, Delivery.seq)


def deliveries_of(recording: Recording, row: Live) -> Sequence[Delivery]:
    """The deliveries of a change, to be stored in its transaction (1)."""
    now = datetime.now(UTC)
    return [
        Delivery(
            url=url, model=type(row).__name__, object_id=row.id, topic=row.topic, seq=row.seq,
            created=row.seq == row.created_seq, changed_at=now, due_at=now,
        )
        for url in recording.settings.webhook_urls
    ]  # fmt: skip


async def is_due(reading: Reading, url: str) -> bool:
    """Whether a delivery to this URL is due. It takes no lock, because it is called often."""
    return await reading.scalar(select(Delivery.id).where(*_due(url)).limit(1)) is not None


async def claim(writing: Writing, url: str) -> Delivery | None:
    """Claim the delivery to this URL that has been due longest, for a while (4)."""
    due = select(Delivery).where(*_due(url)).order_by(Delivery.due_at, Delivery.seq).limit(1)
    delivery = await writing.scalar(due.with_for_update(skip_locked=True))
    if delivery:
        delivery.attempts += 1
        delivery.due_at = datetime.now(UTC) + CLAIM_PERIOD
    return delivery


def _due(url: str) -> Sequence[ColumnElement[bool]]:
    """Due, and the first of its topic (3)."""
    earlier = aliased(Delivery)
    first = ~exists().where(
        earlier.url == Delivery.url,
        earlier.topic == Delivery.topic,
        earlier.seq < Delivery.seq,
        earlier.failed_at.is_(None),
    )
    return Delivery.url == url, Delivery.due_at <= datetime.now(UTC), first


async def finish(writing: Writing, delivery: Delivery) -> None:
    """The receiver has acknowledged this delivery."""
    await writing.execute(delete(Delivery).where(Delivery.id == delivery.id))


async def retry_later(writing: Writing, delivery: Delivery, error: str) -> bool:
    """Send it again later, and the later ones of its topic after it. Returns False if it is a dead letter now (5)."""
    now = datetime.now(UTC)
    if now - delivery.changed_at > RETRY_PERIOD:
        dead = {"due_at": None, "failed_at": now, "error": error[:100]}
        await writing.execute(update(Delivery).where(Delivery.id == delivery.id).values(dead))
        return False
    due = now + backoff(delivery.attempts, *RETRY_WAITS, factor=4)
    later = (Delivery.url == delivery.url, Delivery.topic == delivery.topic, Delivery.seq > delivery.seq)
    await writing.execute(update(Delivery).where(*later, Delivery.due_at < due).values(due_at=due))
    failed = {"due_at": due, "error": error[:100]}
    await writing.execute(update(Delivery).where(Delivery.id == delivery.id).values(failed))
    return True


async def retry_dead_letters(writing: Writing) -> int:
    """Make all dead letters due now. Returns their number."""
    now = datetime.now(UTC)
    again = {"due_at": now, "changed_at": now, "failed_at": None, "attempts": 0}
    found = await writing.execute(update(Delivery).where(Delivery.failed_at.is_not(None)).values(again))
    return found.rowcount  # type: ignore[attr-defined, no-any-return]


async def dead_letters(reading: Reading, limit: int) -> Sequence[Delivery]:
    """Deliveries that are not sent any more, the newest first."""
    dead = select(Delivery).where(Delivery.failed_at.is_not(None))
    return (await reading.scalars(dead.order_by(Delivery.failed_at.desc(), Delivery.id).limit(limit))).all()


async def count_dead_letters(reading: Reading) -> int:
    dead = select(func.count()).select_from(Delivery).where(Delivery.failed_at.is_not(None))
    return await reading.scalar(dead) or 0


async def count_waiting(reading: Reading) -> tuple[int, float]:
    """(the number of deliveries to be sent, the age of the oldest of them in seconds)."""
    query = select(func.count(), func.min(Delivery.changed_at)).where(Delivery.due_at.is_not(None))
    count, oldest = (await reading.execute(query)).one()
    return count, (datetime.now(UTC) - oldest).total_seconds() if count else 0.0


async def prune(writing: Writing, urls: Collection[str]) -> None:
    """Drop old dead letters, and what is left of URLs that are no longer in WEBHOOK_URLS."""
    now = datetime.now(UTC)
    newest = select(Delivery.id).where(Delivery.failed_at.is_not(None)).order_by(Delivery.failed_at.desc())
    dead = Delivery.failed_at.is_not(None) & Delivery.id.not_in(newest.limit(MAX_DEAD_LETTERS))
    old = Delivery.failed_at < now - DEAD_LETTER_RETENTION
    # During an update, other processes may still have the old list.
    removed = Delivery.url.not_in(urls) & (Delivery.changed_at < now - RETRY_PERIOD)
    await writing.execute(delete(Delivery).where(or_(dead, old, removed)))
