"""Chunks: changes read for sessions below a topic's ring. Sessions with nearby positions share a read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from app.live.read.reader import CHUNK_ROWS, Chunk, Reader
from app.live.tasks import Tasks
from app.live.topics import Topic

MAX_CACHED_CHUNKS = 8  # per topic; dropped when its head moves, or when no session has wanted them between two sweeps


@dataclass(slots=True)
class CachedChunk:
    """A chunk that was read or is being read, and the number of sessions that wait for it."""

    task: asyncio.Task[Chunk | None]
    waiting: int = 0
    wanted: bool = True  # since the last sweep

    @property
    def chunk(self) -> Chunk | None:
        """None while it is being read, and after a read that failed or was given up."""
        task = self.task
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None


class Chunks:
    def __init__(self, topic: Topic, reader: Reader, tasks: Tasks) -> None:
        self._topic = topic
        self._reader = reader
        self._tasks = tasks
        self._kept: dict[int, CachedChunk] = {}  # by the seq after which they start

    def __len__(self) -> int:
        return len(self._kept)

    async def at(self, after: int, head: int, network: str | None) -> Chunk:
        """Changes above `after` and up to `head`. The read waits for a turn of `network`."""
        for kept in self._kept.values():
            if (chunk := kept.chunk) and chunk.start <= after < chunk.reached:
                kept.wanted = True
                return chunk
        chunk = await self._from(after - after % CHUNK_ROWS, head, network)
        # A long run of conflated seqs may end below `after`.
        return chunk if after < chunk.reached else await self._from(after, head, network)

    def forget_unwanted(self) -> None:
        """Drop chunks that no session has wanted since the last call: every session has caught up or gone."""
        self._kept = {start: kept for start, kept in self._kept.items() if kept.wanted}
        for kept in self._kept.values():
            kept.wanted = False

    async def _from(self, start: int, head: int, network: str | None) -> Chunk:
        while True:
            kept = self._kept.pop(start, None)
            if kept is None or (kept.task.done() and kept.chunk is None):
                kept = self._begin(start, head, network)
            self._kept[start] = kept
            kept.wanted = True
            kept.waiting += 1
            try:
                chunk = await asyncio.shield(kept.task)
            finally:
                kept.waiting -= 1
            if chunk:
                return chunk

    def _begin(self, start: int, head: int, network: str | None) -> CachedChunk:
        while len(self._kept) >= MAX_CACHED_CHUNKS:
            del self._kept[next(iter(self._kept))]
        reading = self._reader.chunk(self._topic, start, head, network, wanted=lambda: kept.waiting > 0)
        kept = CachedChunk(self._tasks.start(reading))
        return kept
