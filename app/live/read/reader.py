"""The reader: counts all reads of the database that feeds make, and bounds how many run at once.

A read waits for a slot. If no session wants it any more when it gets one, it is skipped (`wanted`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.database import Database
from app.live.fair_queue import FairQueue
from app.live.model import LiveModel
from app.live.pacing import MAX_WAITING
from app.live.read.changes import Change, read_changes, read_news
from app.live.read.runs import Chunk
from app.live.stats import ReadStats
from app.live.topics import Topic
from app.live.write.sequences import read_heads, renew_epoch

MAX_CONCURRENT_READS = 4  # connections that feeds may hold; the rest of the pool is for requests
MAX_CONCURRENT_CHUNK_READS = 2  # of these, for sessions that catch up; the other slots are for news
CHUNK_ROWS = 128  # rows of each table in one chunk

Wanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class News:
    """The result of a read of a topic: its epoch, its head, and the changes if they continue what the feed knew."""

    epoch: str
    head: int
    changes: Sequence[Change] | None
    settled: bool = False  # whether these are all changes up to the head; see `Changes`


def always() -> bool:
    return True


class Reader:
    def __init__(self, database: Database, models: Sequence[LiveModel]) -> None:
        self.stats = ReadStats()
        self._database = database
        self._models = models
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_READS)
        self._late = FairQueue(MAX_CONCURRENT_CHUNK_READS, MAX_WAITING, MAX_WAITING)

    @property
    def reads(self) -> int:
        """The number of reads of news and chunks since the start, without the reads of heads alone."""
        return self.stats.news + self.stats.chunks

    async def heads(self, topics: Sequence[Topic]) -> tuple[str, dict[Topic, int]]:
        """(the epoch, each topic's counter), in one statement."""
        self.stats.heads += 1
        async with self._slots:
            return await self._database.read(lambda connection: read_heads(connection, topics))

    async def news(
        self, topic: Topic, epoch: str | None, head: int | None, most: int, wanted: Wanted = always
    ) -> News | None:
        """The news of `topic` for a feed that knows it up to `head` in `epoch`; None if no longer `wanted`.

        The changes are None if the feed cannot continue from what it knows: the epoch is another one, it has no head
        yet, or more than `most` seqs have passed. If the head went backwards, the database has another history, and the
        reader renews the epoch.
        """
        async with self._slots:
            if not wanted():
                self.stats.dropped += 1
                return None
            self.stats.news += 1
            now, h, changes = await self._database.read(
                lambda connection: read_news(connection, self._models, topic, head or 0, most)
            )
            if now != epoch or head is None or h - head > most:
                return News(now, h, None)
            if h >= head:
                return News(now, h, self._counted(changes), changes.settled)
        return News(await self.renew_epoch(now), h, None)

    async def chunk(
        self, topic: Topic, start: int, head: int, network: str | None = None, wanted: Wanted = always
    ) -> Chunk | None:
        """The first changes above `start` and up to `head`, which was read before; None if no longer `wanted`.

        Networks take turns at the slots. Raises QueueFull.
        """
        async with self._late.slot(network), self._slots:
            if not wanted():
                self.stats.dropped += 1
                return None
            self.stats.chunks += 1
            changes, reached = await self._database.read(
                lambda connection: read_changes(connection, self._models, topic, start, head, CHUNK_ROWS)
            )
        return Chunk(start, reached, head, self._counted(changes))

    async def renew_epoch(self, old: str) -> str:
        """Replace the epoch `old`, because the database has another history. Returns the epoch that holds then."""
        async with self._database.transaction() as writing, writing.begin():
            return await renew_epoch(writing, old, secrets.token_urlsafe(6))

    def _counted(self, changes: Sequence[Change]) -> Sequence[Change]:
        self.stats.frames += sum(len(set(change.frames.values()) - {None}) for change in changes)
        return changes
