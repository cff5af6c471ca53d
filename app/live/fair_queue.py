"""A fair queue: callers wait for one of a few slots, and keys (network addresses, accounts) take turns.

1. Round robin: each key with waiting callers gets one slot before any key gets its second. A caller waits for the
   callers that run now, for those before it under its own key, and for one round of the other keys.
2. The number of waiting callers is bounded, per key and in all. Past a bound `acquire` raises `QueueFull` at once.
3. A cancelled caller gives its place back, even if its slot was granted in the same event loop iteration.

A queue belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class QueueFull(Exception):
    """The caller was not queued. `by_key`: its key has reached its bound; otherwise all keys together have."""

    def __init__(self, *, by_key: bool) -> None:
        super().__init__("too many callers wait under this key" if by_key else "too many callers wait")
        self.by_key = by_key


class FairQueue:
    """At most `slots` callers run at once, and `max_waiting` wait, of which `max_waiting_per_key` have the same key.

    Callers whose network is unknown have the key None. They share one turn, and only `max_waiting` bounds them.
    """

    def __init__(self, slots: int, max_waiting_per_key: int, max_waiting: int) -> None:
        self.waiting = 0
        self._free = slots
        self._max_waiting_per_key = max_waiting_per_key
        self._max_waiting = max_waiting
        self._turns: dict[Hashable, deque[asyncio.Future[None]]] = {}  # the first key is the next; no deque is empty

    @asynccontextmanager
    async def slot(self, key: Hashable) -> AsyncIterator[None]:
        """Hold a slot while the block runs. Raises QueueFull."""
        await self.acquire(key)
        try:
            yield
        finally:
            self.release()

    async def acquire(self, key: Hashable) -> None:
        """Wait for a slot, which the caller gives back with `release`. Raises QueueFull."""
        if self._free:
            self._free -= 1
            return
        if key is not None and len(self._turns.get(key, ())) >= self._max_waiting_per_key:
            raise QueueFull(by_key=True)
        if self.waiting >= self._max_waiting:
            raise QueueFull(by_key=False)
        turn = asyncio.get_running_loop().create_future()
        self._turns.setdefault(key, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(key, turn)
            else:
                self.release()  # (3)
            raise

    def release(self) -> None:
        """Give a slot back: the next waiting caller gets it."""
        while self._turns:
            key = next(iter(self._turns))
            turns = self._turns.pop(key)
            turn = turns.popleft()
            if turns:
                self._turns[key] = turns  # at the end (1)
            self.waiting -= 1
            if not turn.cancelled():  # a cancelled caller may not have run yet to forget its turn
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, key: Hashable, turn: asyncio.Future[None]) -> None:
        turns = self._turns.get(key)
        if turns and turn in turns:
            turns.remove(turn)
            self.waiting -= 1
            if not turns:
                del self._turns[key]
