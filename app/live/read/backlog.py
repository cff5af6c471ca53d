"""Rings: the newest frames of a topic, in memory, shared by everyone who is level with it or nearly so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from app.live.read.changes import Change

NOTHING_ASKED: tuple[int, Sequence[Change]] = (-1, ())  # shared, because most rings stay empty


class Backlog:
    """Everything that changed after `floor`, each object once, as it is now.

    Bounded in changes and in bytes: the oldest leave first and raise the floor; who stands below it is served
    from the database. An object's newer change replaces its older one, so nothing erased stays.
    """

    __slots__ = ("_asked", "_bytes", "_most", "_most_bytes", "_newest", "floor")

    def __init__(self, floor: int, most: int, most_bytes: int) -> None:
        self.floor = floor
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._newest: dict[tuple[str, object], Change] = {}  # in order of seq
        self._asked = NOTHING_ASKED

    def __len__(self) -> int:
        return len(self._newest)

    @property
    def size(self) -> int:
        """Bytes of what is here."""
        return self._bytes

    def extend(self, changes: Iterable[Change]) -> None:
        """Add changes, in order of seq, all newer than any that is here."""
        self._asked = NOTHING_ASKED
        for change in changes:
            self._drop(change.key)
            self._newest[change.key] = change
            self._bytes += change.size
        while len(self._newest) > self._most or self._bytes > self._most_bytes:
            oldest = next(iter(self._newest))
            self.floor = self._newest[oldest].seq
            self._drop(oldest)

    def after(self, seq: int) -> Sequence[Change]:
        """Changes above `seq` in order; `seq` is at least the floor.

        Costs what it returns, and nothing when the same is asked again, as it is by everyone who was level.
        """
        asked, newer = self._asked
        if asked != seq:
            newer = list(takewhile(lambda change: change.seq > seq, self._newest_first()))[::-1]
            self._asked = seq, newer
        return newer

    def supersedes(self, change: Change) -> bool:
        """Whether a newer state of the same object is here."""
        newest = self._newest.get(change.key)
        return newest is not None and newest.seq > change.seq

    def _newest_first(self) -> Iterator[Change]:
        return reversed(self._newest.values())

    def _drop(self, key: tuple[str, object]) -> None:
        if (gone := self._newest.pop(key, None)) is not None:
            self._bytes -= gone.size
