"""Pacing: if ten thousand clients need work at once, it is done one piece at a time, so that other work can run.

1. One turn per event loop iteration. Other work that takes a dozen iterations waits for a dozen turns at most. Each
   turn takes a fraction of a millisecond.
2. A pause after a few milliseconds of turns. SQLite and password hashes run in threads, and a thread needs the GIL. An
   event loop that is never idle releases the GIL once per iteration, and takes it back before the waiting thread is
   awake.
3. Sessions are woken in groups, since waking one may send its data immediately. Between two groups the event loop does
   other work, and the data sent so far leaves the process.
4. Networks take turns (`app.live.fair_queue`), so a network that opens many streams mostly delays its own.
5. Few sessions use a chunk at once (`app.live.read.chunks`), and the others wait before they ask for one. If all asked
   at once, their chunks would be larger than the bound of all chunks together, and be dropped before all sessions that
   need them had used them. Each session would then read for itself, and hold its chunk in memory until its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from app.live.fair_queue import FairQueue
from app.live.watchers import Watcher

WORK_SECONDS = 0.003  # between two pauses
PAUSE_SECONDS = 0.001  # the shortest time that a timer can wait
WAKES_PER_BATCH = 200  # sessions in one group (3); about two milliseconds
MAX_CHUNK_USERS = 64  # sessions (5); enough to keep the reader busy
MAX_WAITING = 100_000  # callers that wait for a turn; five times as many as a process has streams


class Pacing:
    def __init__(self) -> None:
        self._slot = FairQueue(1, MAX_WAITING, MAX_WAITING)
        self._pause_at = 0.0  # in seconds of the loop's clock
        self._chunk_users = FairQueue(MAX_CHUNK_USERS, MAX_WAITING, MAX_WAITING)

    def using_chunk(self, network: str | None = None) -> AbstractAsyncContextManager[None]:
        """While the block runs, the caller may use a chunk (5). Raises QueueFull."""
        return self._chunk_users.slot(network)

    async def wait_turn(self, network: str | None = None) -> None:
        """Wait for a turn, which lasts until the caller's next await. Raises QueueFull."""
        await self._slot.acquire(network)
        loop = asyncio.get_running_loop()
        if loop.time() < self._pause_at:
            loop.call_soon(self._slot.release)
        else:
            loop.call_later(PAUSE_SECONDS, self._end_pause, loop)

    def _end_pause(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pause_at = loop.time() + WORK_SECONDS
        self._slot.release()


async def wake_all(watchers: Iterable[Watcher]) -> None:
    """Wake the sessions that watch now, one group at a time (3)."""
    for count, watcher in enumerate(tuple(watchers), 1):
        watcher.wake()
        if count % WAKES_PER_BATCH == 0:
            await asyncio.sleep(0)
