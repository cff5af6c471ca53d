"""Backlog: the newest changes of a topic, in memory, shared by all sessions that have caught up, or nearly so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from app.live.read.changes import Change

NO_CACHED_RESULT: tuple[int, Sequence[Change]] = (-1, ())  # shared, because most backlogs stay empty


class Backlog:
    """All changes after the seq `floor`, each object once, in its latest state.

    The number of changes and their bytes are bounded. Past a bound, the oldest changes are dropped and the floor rises.
    Sessions below the floor read from the database. A newer change of an object replaces the older one, so erased
    content does not stay in memory.
    """

    __slots__ = ("_bytes", "_cached_result", "_max_bytes", "_max_changes", "_newest", "floor")

    def __init__(self, floor: int, max_changes: int, max_bytes: int) -> None:
        self.floor = floor
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._bytes = 0
        self._newest: dict[tuple[str, object], Change] = {}  # in order of seq
        self._cached_result = NO_CACHED_RESULT  # of `after`: (seq, changes)

    def __len__(self) -> int:
        return len(self._newest)

    @property
    def size(self) -> int:
        """Bytes of all frames here."""
        return self._bytes

    def extend(self, changes: Iterable[Change]) -> None:
        """Add changes, in order of seq, all newer than those here."""
        self._cached_result = NO_CACHED_RESULT
        for change in changes:
            self._drop(change.key)
            self._newest[change.key] = change
            self._bytes += change.size
        while len(self._newest) > self._max_changes or self._bytes > self._max_bytes:
            oldest = next(iter(self._newest))
            self.floor = self._newest[oldest].seq
            self._drop(oldest)

    def after(self, seq: int) -> Sequence[Change]:
        """Changes above `seq`, in order. `seq` must be at least the floor.

        The cost is linear in the result. The last result is cached, because all sessions that had caught up ask for it.
        """
        cached_seq, newer = self._cached_result
        if cached_seq != seq:
            newer = list(takewhile(lambda change: change.seq > seq, self._newest_first()))[::-1]
            self._cached_result = seq, newer
        return newer

    def supersedes(self, change: Change) -> bool:
        """Whether a newer state of the same object is here."""
        newest = self._newest.get(change.key)
        return newest is not None and newest.seq > change.seq

    def _newest_first(self) -> Iterator[Change]:
        return reversed(self._newest.values())

    def _drop(self, key: tuple[str, object]) -> None:
        if (dropped := self._newest.pop(key, None)) is not None:
            self._bytes -= dropped.size
