"""Heartbeats: one timer for the heartbeats of all sessions of a process.

One timer per session would be ten thousand timers, and each block that a session sends would set its timer again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from app.live.watchers import Watcher

TICK_SECONDS = 0.02  # sessions whose heartbeats are due in the same tick are notified together


class Heartbeats:
    """Notifies each session once, when its heartbeat is due."""

    def __init__(self) -> None:
        self._due: defaultdict[int, set[Watcher]] = defaultdict(set)  # by tick of the loop's clock
        self._ticks: dict[Watcher, int] = {}
        self._timer: asyncio.Handle | None = None
        self._timer_tick = 0  # of `_timer`; uvloop's handle has no `when()` after its time has passed

    def __len__(self) -> int:
        return len(self._ticks)

    def set(self, watcher: Watcher, seconds: float) -> None:
        """Notify the session in `seconds`, or up to one tick later. This replaces the time that was set before."""
        self.forget(watcher)
        tick = int((asyncio.get_running_loop().time() + seconds) / TICK_SECONDS) + 1
        self._ticks[watcher] = tick
        self._due[tick].add(watcher)
        if self._timer is None or self._timer_tick > tick:
            self._set_timer(tick)

    def forget(self, watcher: Watcher) -> None:
        if (tick := self._ticks.pop(watcher, None)) is not None:
            self._due[tick].discard(watcher)
            if not self._due[tick]:
                del self._due[tick]

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _set_timer(self, tick: int) -> None:
        self.close()
        self._timer_tick = tick
        self._timer = asyncio.get_running_loop().call_at(tick * TICK_SECONDS, self._notify_due)

    def _notify_due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for tick in sorted(tick for tick in self._due if tick * TICK_SECONDS <= now):
            for watcher in self._due.pop(tick):
                del self._ticks[watcher]
                watcher.on_heartbeat_due()
        if self._due:
            self._set_timer(min(self._due))
