"""Heartbeats: one timer for the heartbeats of all sessions of a process.

One timer per session would be ten thousand timers, and each block that a session sends would set its timer again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol

TICK_SECONDS = 0.02  # sessions whose heartbeats are due in the same tick are notified together


class HeartbeatListener(Protocol):
    """The part of a session that this module uses."""

    def on_heartbeat_due(self) -> None: ...


class Heartbeats:
    """Notifies each listener once, when its heartbeat is due."""

    def __init__(self) -> None:
        self._due: defaultdict[int, set[HeartbeatListener]] = defaultdict(set)  # by tick of the loop's clock
        self._ticks: dict[HeartbeatListener, int] = {}
        self._timer: asyncio.Handle | None = None
        self._timer_tick = 0  # of `_timer`; uvloop's handle has no `when()` after its time has passed

    def __len__(self) -> int:
        return len(self._ticks)

    def set(self, listener: HeartbeatListener, seconds: float) -> None:
        """Notify the listener in `seconds`, or up to one tick later. This replaces the time that was set before."""
        self.forget(listener)
        tick = int((asyncio.get_running_loop().time() + seconds) / TICK_SECONDS) + 1
        self._ticks[listener] = tick
        self._due[tick].add(listener)
        if self._timer is None or self._timer_tick > tick:
            self._set_timer(tick)

    def forget(self, listener: HeartbeatListener) -> None:
        if (tick := self._ticks.pop(listener, None)) is not None:
            self._due[tick].discard(listener)
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
            for listener in self._due.pop(tick):
                del self._ticks[listener]
                listener.on_heartbeat_due()
        if self._due:
            self._set_timer(min(self._due))
