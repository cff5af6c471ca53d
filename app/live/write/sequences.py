"""Sequences: the seq of each topic, and the epoch in which seqs are valid. A writer locks the counter to the commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import BigInteger, String, TextClause, bindparam, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Reading, Writing
from app.live.model import MAX_TOPIC_LENGTH
from app.live.topics import Topic


class Counter(Base):
    """A topic's counter. Writers hold its row lock until the commit, so seqs are committed in order."""

    __tablename__ = "topics"
    name: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)


class Epoch(Base):
    """The single row that identifies the history of this database. After a restore it gets a new value."""

    __tablename__ = "epochs"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(String(32))


# Built once, because it is the most frequent statement.
_HEADS = (
    select(Epoch.value, Counter.name, Counter.seq)
    .select_from(Epoch)
    .outerjoin(Counter, Counter.name.in_(bindparam("names", expanding=True)))
)


async def read_heads(reading: Reading, topics: Iterable[Topic]) -> tuple[str, dict[Topic, int]]:
    """(the epoch, each topic's counter) in one statement. The counter of a topic without a write is 0."""
    by_name = {str(topic): topic for topic in topics}
    rows = (await reading.execute(_HEADS, {"names": list(by_name)})).all()
    found = {name: seq for _, name, seq in rows}  # if none of them has a counter, one row with the epoch alone
    return rows[0][0], {topic: found.get(name, 0) for name, topic in by_name.items()}


async def renew_epoch(writing: Writing, old: str, new: str) -> str:
    """Invalidate cursors of the epoch `old`. Returns the epoch that holds then. Of concurrent calls, one succeeds."""
    await writing.execute(update(Epoch).where(Epoch.value == old).values(value=new))
    return (await writing.execute(select(Epoch.value))).scalar_one()


async def take_next(writing: Writing, topics: Sequence[Topic]) -> dict[Topic, int]:
    """Lock these topics, in this order and until the commit, and take the next seq of each. The only allocator.

    One statement, because a comment that mentions ten people needs a dozen locks. Rows are inserted in the order of the
    VALUES.
    """
    if not topics:
        return {}
    taken = await writing.execute(_take_next(len(topics)), {f"name{i}": str(topic) for i, topic in enumerate(topics)})
    seqs: dict[str, int] = {row.name: row.seq for row in taken}
    return {topic: seqs[str(topic)] for topic in topics}


async def set_counter(writing: Writing, topic: Topic, seq: int) -> None:
    """Set the locked counter to the last seq of this transaction."""
    await writing.execute(update(Counter).where(Counter.name == str(topic)).values(seq=seq))


@cache
def _take_next(count: int) -> TextClause:
    names = ", ".join(f"(:name{i}, 1)" for i in range(count))
    return text(
        f"INSERT INTO topics (name, seq) VALUES {names}"
        " ON CONFLICT (name) DO UPDATE SET seq = topics.seq + 1 RETURNING name, seq"
    )
