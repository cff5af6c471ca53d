"""Stats: what the dataflow has done since its process began, as plain numbers. Who shows them reads them when asked.

On the way to ten thousand sessions a count is one addition, and nothing else.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
MAX_PENDING_SEQS = 1_000  # seqs of one topic that are waited for; past that the newest are not measured


class Lags:
    """How long something took, each time: how often it was up to each bound, and past the last one."""

    def __init__(self, bounds: Sequence[float] = BOUNDS_SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0  # in all

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


class PendingSeqs:
    """The seqs of a topic that its process was told of and has not read yet, and since when."""

    __slots__ = ("_clock", "_lags", "_since")

    def __init__(self, lags: Lags, clock: Callable[[], float] = time.monotonic) -> None:
        self._lags = lags
        self._clock = clock
        self._since: list[tuple[int, float]] = []

    def add(self, seq: int) -> None:
        if len(self._since) < MAX_PENDING_SEQS:
            self._since.append((seq, self._clock()))

    def reach(self, head: int) -> None:
        """Everything up to here is in the feed now."""
        if self._since:
            now = self._clock()
            for seq, since in self._since:
                if seq <= head:
                    self._lags.add(now - since)
            self._since = [(seq, since) for seq, since in self._since if seq > head]

    def forget(self) -> None:
        """What is not there by now never will be."""
        self._since.clear()


@dataclass
class Stats:
    """Of one process's feeds and sessions."""

    heads: int = 0  # reads of many topics' counters in one statement, by openings and sweeps
    news: int = 0  # looks at a topic's head and what is new below it
    chunks: int = 0  # reads for sessions that have fallen out of the ring
    failures: int = 0  # reads that failed
    dropped: int = 0  # reads that were skipped, because no session waited for them any more
    frames: int = 0  # encoded
    sweeps: int = 0
    finds: int = 0  # topics in which a sweep found what nobody had told of
    blocks: int = 0  # of changes, handed to streams: deliveries
    conflations: int = 0  # batches from below the ring, each object's latest state only
    resets: Counter[str] = field(default_factory=Counter)  # by reason
    lags: Lags = field(default_factory=Lags)  # from being told of a change to having its frames
