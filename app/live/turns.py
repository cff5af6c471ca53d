"""Turns: what ten thousand do who come back at once is done one at a time, and leaves room for everything else.

1. One turn in a round of the event loop. Whatever else waits for the loop, and takes a dozen rounds to be done, waits
   for a dozen of these at most, each a fraction of a millisecond.
2. After some turns, a pause. A thread, and SQLite and password hashes are threads, needs the interpreter's lock. A loop
   that is never idle gives it up once a round, but has it back before a thread that waits for it is awake; and each
   time that starts the thread's patience anew, after which the lock would be taken from the loop. Threads starve so.
3. Sessions are woken some at a time, since each may be sent what is new there and then: whatever else this process does
   goes on meanwhile, and what was sent so far leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

SERIES = 10  # turns from one pause to the next: three milliseconds or so
PAUSE = 0.001  # seconds; what a timer takes at least
WAKES = 200  # sessions at a time (3); two milliseconds or so


class Watcher(Protocol):
    """What is known here of a session."""

    def wake(self) -> None: ...


class Turns:
    def __init__(self) -> None:
        self._free = asyncio.Lock()
        self._taken = 0

    async def take(self) -> None:
        """Wait for one's turn, which is what is done from here to the next await."""
        await self._free.acquire()
        self._taken += 1
        loop = asyncio.get_running_loop()
        if self._taken % SERIES:
            loop.call_soon(self._free.release)
        else:
            loop.call_later(PAUSE, self._free.release)


async def wake_all(watchers: Iterable[Watcher]) -> None:
    """Wake those who watch now, some at a time (3)."""
    for count, watcher in enumerate(tuple(watchers), 1):
        watcher.wake()
        if count % WAKES == 0:
            await asyncio.sleep(0)
