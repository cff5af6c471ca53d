"""Chunks: changes read for sessions below a topic's backlog. Sessions with nearby positions share a read.

A topic's chunks are dropped when its head moves or its feed closes, because a change may have erased their content. A
chunk is dropped if no session has used it between two sweeps. Past the bounds below, the oldest chunks are dropped, and
a session that still needs one reads it again.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

from app.live.read.reader import CHUNK_ROWS, Reader
from app.live.read.runs import Chunk
from app.live.tasks import Tasks
from app.live.topics import Topic

MAX_CACHED_CHUNKS = 8  # per topic
MAX_CACHED_BYTES = 67_108_864  # of the frames and runs in all chunks of the process, plus the chunks being read


@dataclass(slots=True)
class CachedChunk:
    """A chunk that was read or is being read, and the number of sessions that wait for it."""

    number: int  # of its read
    task: asyncio.Task[None] = field(init=False)
    chunk: Chunk | None = None  # None while it is being read, and after a read that failed or was skipped
    waiting: int = 0
    wanted: bool = True  # since the last sweep


class Chunks:
    """The chunks of all topics of a process."""

    def __init__(self, reader: Reader, tasks: Tasks) -> None:
        self._reader = reader
        self._tasks = tasks
        self._numbers = itertools.count()
        self._cached: dict[Topic, dict[int, CachedChunk]] = {}  # by the seq after which they start

    def __len__(self) -> int:
        return sum(map(len, self._cached.values()))

    async def at(self, topic: Topic, after: int, head: int, network: str | None) -> Chunk:
        """Changes above `after` and up to `head`. The read waits until it is the turn of `network`."""
        for cached in self._cached.get(topic, {}).values():
            if (chunk := cached.chunk) and chunk.start <= after < chunk.reached:
                cached.wanted = True
                return chunk
        chunk = await self._from(topic, after - after % CHUNK_ROWS, head, network)
        # A long run of conflated seqs may end below `after`.
        return chunk if after < chunk.reached else await self._from(topic, after, head, network)

    def forget(self, topic: Topic) -> None:
        """Drop all chunks of a topic."""
        self._cached.pop(topic, None)

    def forget_unwanted(self) -> None:
        """Drop chunks that no session has used since the last call: those sessions have caught up or ended."""
        for topic, chunks in list(self._cached.items()):
            self._cached[topic] = {start: cached for start, cached in chunks.items() if cached.wanted}
            for cached in self._cached[topic].values():
                cached.wanted = False
            if not self._cached[topic]:
                self.forget(topic)
        self._make_room()  # chunks have grown by runs since they were read

    async def _from(self, topic: Topic, start: int, head: int, network: str | None) -> Chunk:
        while True:
            cached = self._cached.get(topic, {}).get(start)
            if cached is None or (cached.task.done() and cached.chunk is None):
                cached = self._begin(topic, start, head, network)
            cached.wanted = True
            cached.waiting += 1
            try:
                await asyncio.shield(cached.task)
            finally:
                cached.waiting -= 1
            if cached.chunk:
                return cached.chunk

    def _begin(self, topic: Topic, start: int, head: int, network: str | None) -> CachedChunk:
        self._make_room()
        here = self._cached.setdefault(topic, {})
        here.pop(start, None)
        while len(here) >= MAX_CACHED_CHUNKS:
            del here[next(iter(here))]
        cached = here[start] = CachedChunk(next(self._numbers))
        cached.task = self._tasks.start(self._read(cached, topic, start, head, network))
        return cached

    async def _read(self, cached: CachedChunk, topic: Topic, start: int, head: int, network: str | None) -> None:
        cached.chunk = await self._reader.chunk(topic, start, head, network, wanted=lambda: cached.waiting > 0)

    def _make_room(self) -> None:
        """Drop the oldest chunks until those in memory are within the bound."""
        kept = [
            (cached.number, chunk.size, topic, start)
            for topic, here in self._cached.items()
            for start, cached in here.items()
            if (chunk := cached.chunk)
        ]
        excess = sum(size for _, size, _, _ in kept) - MAX_CACHED_BYTES
        for _, size, topic, start in sorted(kept):
            if excess <= 0:
                break
            del self._cached[topic][start]
            excess -= size
