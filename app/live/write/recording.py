"""Recording: what `LiveModel.record` may use in addition to the row that changed.

A record that only some people ask for is written only while somebody asks. The process learns this from time to time,
so a write needs no statement to know it. Without recent knowledge every record counts as wanted: a script that never
learns, and a process whose database was away, leave nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from app.settings import Settings

KNOWN_SECONDS = 60.0  # how long a process relies on what it has learned


class Recording:
    """The settings of this process, and the kinds of records that somebody asks for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._wanted: frozenset[str] = frozenset()
        self._known_until = 0.0

    def learn(self, wanted: Iterable[str]) -> None:
        """Record only these kinds, until the next call, or until this is too old."""
        self._wanted, self._known_until = frozenset(wanted), monotonic() + KNOWN_SECONDS

    def wants(self, kind: str) -> bool:
        return kind in self._wanted or monotonic() > self._known_until
