"""Stats: what the live engine has done since the process began, as plain numbers. `/metrics` reads them.

Counting costs one addition, because it happens for each of ten thousand sessions.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
MAX_PENDING_SEQS = 1_000  # seqs of one topic; past that, further seqs are not measured


class Lags:
    """A histogram of durations: how many were up to each bound, and how many were above the last one."""

    def __init__(self, bounds: Sequence[float] = BOUNDS_SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0  # in all

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


class PendingSeqs:
    """The seqs of a topic that its process has a hint of but has not read yet, each with the time of the hint."""

    __slots__ = ("_clock", "_lags", "_since")

    def __init__(self, lags: Lags, clock: Callable[[], float] = time.monotonic) -> None:
        self._lags = lags
        self._clock = clock
        self._since: list[tuple[int, float]] = []

    def add(self, seq: int) -> None:
        if len(self._since) < MAX_PENDING_SEQS:
            self._since.append((seq, self._clock()))

    def reach(self, head: int) -> None:
        """Measure all seqs up to `head`: the feed has read them."""
        if self._since:
            now = self._clock()
            for seq, since in self._since:
                if seq <= head:
                    self._lags.add(now - since)
            self._since = [(seq, since) for seq, since in self._since if seq > head]

    def forget(self) -> None:
        """Drop the remaining seqs, which do not exist."""
        self._since.clear()


@dataclass
class ReadStats:
    """The counters of one process's feeds."""

    heads: int = 0  # reads of the counters of many topics in one statement, by opening sessions and sweeps
    news: int = 0  # reads of a topic's head and its new changes
    chunks: int = 0  # reads for sessions below the backlog
    failures: int = 0  # reads that failed
    dropped: int = 0  # reads that were skipped, because no session waited for them any more
    frames: int = 0  # encoded
    sweeps: int = 0
    finds: int = 0  # topics in which a sweep found a change without a hint
    lags: Lags = field(default_factory=Lags)  # from the hint of a change to its frames


@dataclass
class StreamStats:
    """The counters of one process's sessions."""

    blocks: int = 0  # of changes that were passed to streams: deliveries
    conflations: int = 0  # batches from below the backlog, with the latest state of each object only
    resets: Counter[str] = field(default_factory=Counter)  # by reason
