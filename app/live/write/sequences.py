"""Sequences: the seq of each topic, and the epoch in which seqs are valid. A writer locks the counter to the commit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import BigInteger, Connection, String, bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from app.among import among
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
    select(Epoch.value, Counter.name, Counter.seq).select_from(Epoch).outerjoin(Counter, among(Counter.name, "names"))
)


async def read_heads(reading: Reading | AsyncConnection, topics: Iterable[Topic]) -> tuple[str, dict[Topic, int]]:
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
    """Lock these topics, in this order and until the commit, and take the next seq of each."""
    if not topics:
        return {}
    connection = await writing.connection()
    return await connection.run_sync(take_seqs, dict.fromkeys(topics, 1))


def take_seqs(connection: Connection, counts: Mapping[Topic, int], lock_timeout: str | None = None) -> dict[Topic, int]:
    """Lock these topics, in this order and until the commit, and take this many seqs of each. The only allocator.

    Returns the last seq of each topic. One statement, because a comment that mentions ten people needs a dozen locks.
    """
    by_name = {str(topic): topic for topic in counts}
    values: dict[str, str | None] = {"counts": json.dumps({name: counts[topic] for name, topic in by_name.items()})}
    if connection.dialect.name == "postgresql":
        values["lock_timeout"] = lock_timeout
    return {by_name[row.name]: row.seq for row in connection.execute(_TAKE[connection.dialect.name], values)}


def set_counters(connection: Connection, seqs: Mapping[Topic, int]) -> None:
    """Set locked counters to the last seqs of this transaction."""
    if seqs:
        connection.execute(_SET, [{"topic": str(topic), "last": seq} for topic, seq in seqs.items()])


# Both read the names from a JSON object in its order, so one prepared statement serves any number of topics.
_TAKE = {
    dialect: text(
        f"INSERT INTO topics (name, seq) SELECT key, CAST(value AS bigint) FROM {names} WHERE true"
        " ON CONFLICT (name) DO UPDATE SET seq = topics.seq + excluded.seq RETURNING name, seq"
    )
    for dialect, names in {
        "sqlite": "json_each(:counts)",
        "postgresql": (
            "set_config('lock_timeout', coalesce(:lock_timeout, current_setting('lock_timeout')), true),"
            " json_each_text(CAST(:counts AS json))"
        ),
    }.items()
}
_SET = update(Counter).where(Counter.name == bindparam("topic")).values(seq=bindparam("last"))
