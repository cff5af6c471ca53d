"""The pulse: one timer for the heartbeats of all sessions of a process.

A timer a session would be ten thousand timers, each set anew with whatever is sent.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol

TICK_SECONDS = 0.02  # seconds; sessions that are due within one are told together


class HeartbeatListener(Protocol):
    """What the pulse knows of a session."""

    def on_heartbeat_due(self) -> None: ...


class Heartbeats:
    """Tells each sleeper when its time has come, once."""

    def __init__(self) -> None:
        self._due: defaultdict[int, set[HeartbeatListener]] = defaultdict(set)  # by tick of the loop's clock
        self._ticks: dict[HeartbeatListener, int] = {}
        self._timer: asyncio.Handle | None = None
        self._timer_tick = 0  # of `_timer`; uvloop's handle of a time that has passed has no `when()`

    def __len__(self) -> int:
        return len(self._ticks)

    def set(self, sleeper: HeartbeatListener, seconds: float) -> None:
        """Tell it in so many seconds, or a tick later; and no more at the time that was set before."""
        self.forget(sleeper)
        tick = int((asyncio.get_running_loop().time() + seconds) / TICK_SECONDS) + 1
        self._ticks[sleeper] = tick
        self._due[tick].add(sleeper)
        if self._timer is None or self._timer_tick > tick:
            self._set_timer(tick)

    def forget(self, sleeper: HeartbeatListener) -> None:
        if (tick := self._ticks.pop(sleeper, None)) is not None:
            self._due[tick].discard(sleeper)
            if not self._due[tick]:
                del self._due[tick]

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _set_timer(self, tick: int) -> None:
        self.close()
        self._timer_tick = tick
        self._timer = asyncio.get_running_loop().call_at(tick * TICK_SECONDS, self._beat)

    def _beat(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for tick in sorted(tick for tick in self._due if tick * TICK_SECONDS <= now):
            for sleeper in self._due.pop(tick):
                del self._ticks[sleeper]
                sleeper.on_heartbeat_due()
        if self._due:
            self._set_timer(min(self._due))
