"""Pacing: work that ten thousand clients want at once is done one piece at a time, and leaves room for everything else.

1. One turn in an iteration of the event loop. Work that takes a dozen iterations waits for a dozen turns at most, each
   a fraction of a millisecond.
2. After some turns, a pause. SQLite and password hashes run in threads, and a thread needs the GIL. A loop that is
   never idle releases the GIL once an iteration, and takes it back before the waiting thread is awake.
3. Sessions are woken in groups, since waking one may send its data immediately. Between two groups the event loop does
   other work, and the data sent so far leaves the process.
4. Networks take turns (`app.live.fair_queue`), so a network that opens many streams mostly delays its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from app.live.fair_queue import FairQueue

TURNS_PER_PAUSE = 10  # turns from one pause to the next: three milliseconds or so
PAUSE_SECONDS = 0.001  # seconds; what a timer takes at least
WAKES_PER_BATCH = 200  # sessions at a time (3); two milliseconds or so
MAX_WAITING = 100_000  # for a turn; five times as many as a process has streams


class Watcher(Protocol):
    """What is known here of a session."""

    def wake(self) -> None: ...


class Pacing:
    def __init__(self) -> None:
        self._slot = FairQueue(1, MAX_WAITING, MAX_WAITING)
        self._taken = 0

    async def wait_turn(self, network: str | None = None) -> None:
        """Wait for a turn, which lasts from here to the next await. Raises QueueFull."""
        await self._slot.acquire(network)
        self._taken += 1
        loop = asyncio.get_running_loop()
        if self._taken % TURNS_PER_PAUSE:
            loop.call_soon(self._slot.release)
        else:
            loop.call_later(PAUSE_SECONDS, self._slot.release)


async def wake_all(watchers: Iterable[Watcher]) -> None:
    """Wake those who watch now, some at a time (3)."""
    for count, watcher in enumerate(tuple(watchers), 1):
        watcher.wake()
        if count % WAKES_PER_BATCH == 0:
            await asyncio.sleep(0)
