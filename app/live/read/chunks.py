"""Chunks: changes read for sessions below a topic's backlog. Sessions with nearby positions share a read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from app.live.read.reader import CHUNK_ROWS, Chunk, Reader
from app.live.tasks import Tasks
from app.live.topics import Topic

MAX_CACHED_CHUNKS = 8  # per topic; dropped when its head moves, or if no session has used them between two sweeps


@dataclass(slots=True)
class CachedChunk:
    """A chunk that was read or is being read, and the number of sessions that wait for it."""

    task: asyncio.Task[Chunk | None]
    waiting: int = 0
    wanted: bool = True  # since the last sweep

    @property
    def chunk(self) -> Chunk | None:
        """None while it is being read, and after a read that failed or was skipped."""
        task = self.task
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None


class Chunks:
    def __init__(self, topic: Topic, reader: Reader, tasks: Tasks) -> None:
        self._topic = topic
        self._reader = reader
        self._tasks = tasks
        self._cached: dict[int, CachedChunk] = {}  # by the seq after which they start

    def __len__(self) -> int:
        return len(self._cached)

    async def at(self, after: int, head: int, network: str | None) -> Chunk:
        """Changes above `after` and up to `head`. The read waits until it is the turn of `network`."""
        for cached in self._cached.values():
            if (chunk := cached.chunk) and chunk.start <= after < chunk.reached:
                cached.wanted = True
                return chunk
        chunk = await self._from(after - after % CHUNK_ROWS, head, network)
        # A long run of conflated seqs may end below `after`.
        return chunk if after < chunk.reached else await self._from(after, head, network)

    def forget_unwanted(self) -> None:
        """Drop chunks that no session has used since the last call: those sessions have caught up or ended."""
        self._cached = {start: cached for start, cached in self._cached.items() if cached.wanted}
        for cached in self._cached.values():
            cached.wanted = False

    async def _from(self, start: int, head: int, network: str | None) -> Chunk:
        while True:
            cached = self._cached.pop(start, None)
            if cached is None or (cached.task.done() and cached.chunk is None):
                cached = self._begin(start, head, network)
            self._cached[start] = cached
            cached.wanted = True
            cached.waiting += 1
            try:
                chunk = await asyncio.shield(cached.task)
            finally:
                cached.waiting -= 1
            if chunk:
                return chunk

    def _begin(self, start: int, head: int, network: str | None) -> CachedChunk:
        while len(self._cached) >= MAX_CACHED_CHUNKS:
            del self._cached[next(iter(self._cached))]
        reading = self._reader.chunk(self._topic, start, head, network, wanted=lambda: cached.waiting > 0)
        cached = CachedChunk(self._tasks.start(reading))
        return cached
