"""The reader: every look that feeds take into the database, counted, and few at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.database import Database
from app.live.changes import Change, read_changes
from app.live.counters import read_heads, renew_epoch
from app.live.counts import Counts
from app.live.model import LiveModel
from app.live.topics import Topic

READS_AT_ONCE = 4  # connections that feeds may hold; the rest of the pool is for requests
LATE_AT_ONCE = 2  # of these, for who begins or catches up: who is level is not kept waiting by ten thousand of them
CHUNK_ROWS = 128  # rows of each table in one chunk


@dataclass(frozen=True, slots=True)
class News:
    """What a look at a topic found: its epoch and head and, when they follow on what was known, the changes."""

    epoch: str
    head: int
    changes: Sequence[Change] | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Changes above `start`, complete up to `reached`, for sessions that have fallen out of the ring."""

    start: int
    reached: int
    changes: Sequence[Change]


class Reader:
    def __init__(self, database: Database, models: Sequence[LiveModel]) -> None:
        self.counts = Counts()
        self._database = database
        self._models = models
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self._late_slots = asyncio.Semaphore(LATE_AT_ONCE)

    @property
    def reads(self) -> int:
        """Since the start: looks for news and for chunks, not sweeps."""
        return self.counts.news + self.counts.chunks

    async def heads(self, topics: Sequence[Topic]) -> tuple[str, dict[Topic, int]]:
        """(the epoch, each topic's counter)."""
        async with self._slots, self._database.reading() as reading:
            return await read_heads(reading, topics)

    async def news(self, topic: Topic, epoch: str | None, head: int | None, most: int) -> News:
        """What is new in `topic` for one who knows it up to `head` in `epoch`.

        Changes are None where there is nothing to follow on: another epoch, no head yet, or a leap of more
        than `most` seqs. A head that went backwards is another history: it gets, and is answered with, a new epoch.
        """
        self.counts.news += 1
        async with self._slots if head is not None else self._late(), self._database.reading() as reading:
            now, heads = await read_heads(reading, [topic])
            h = heads[topic]
            if now != epoch or head is None or h - head > most:
                return News(now, h, None)
            if h == head:
                return News(now, h, ())
            if h > head:
                changes, _ = await read_changes(reading, self._models, topic, head, h, limit=most + 1)
                return News(now, h, self._counted(changes))
        return News(await self.renew_epoch(now), h, None)

    async def chunk(self, topic: Topic, start: int, head: int) -> Chunk:
        """The first changes above `start` and up to `head`, where `head` was read before."""
        self.counts.chunks += 1
        async with self._late(), self._database.reading() as reading:
            changes, reached = await read_changes(reading, self._models, topic, start, head, CHUNK_ROWS)
        return Chunk(start, reached, self._counted(changes))

    @asynccontextmanager
    async def _late(self) -> AsyncIterator[None]:
        async with self._late_slots, self._slots:
            yield

    async def renew_epoch(self, old: str) -> str:
        """Say that the database has another history than that of `old`; answers the epoch that holds then."""
        async with self._database.transaction() as writing, writing.begin():
            return await renew_epoch(writing, old, secrets.token_urlsafe(6))

    def _counted(self, changes: Sequence[Change]) -> Sequence[Change]:
        self.counts.frames += sum(frame is not None for change in changes for frame in change.frames.values())
        return changes
