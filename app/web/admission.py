"""Admission: how many streams this process holds, in all, for one login and for one network address.

Each costs memory for as long as it is open, so there is a bound, and who comes past it is sent away for a while. Every
process counts its own, since it is its own memory that it guards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from app.live.viewers import Viewer
from app.settings import Settings
from app.web.identity import address_of
from app.web.limits import network_of

ALL = "all"


class Admission:
    """The open streams, counted under each thing that has a bound."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: Counter[Hashable] = Counter()

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._open[ALL]

    @contextmanager
    def place(self, request: Request, viewer: Viewer) -> Iterator[bool]:
        """A place for one stream while the block lasts; False where there is none."""
        bounds = self._bounds(request, viewer)
        free = all(self._open[key] < most for key, most in bounds.items())
        if free:
            self._open.update(bounds.keys())
        try:
            yield free
        finally:
            if free:
                self._open.subtract(bounds.keys())
                self._open += Counter()  # forgets what is at zero

    def _bounds(self, request: Request, viewer: Viewer) -> dict[Hashable, int]:
        bounds: dict[Hashable, int] = {ALL: self._settings.max_streams}
        if self._settings.rate_limits:
            if viewer.login_id:
                bounds["login", viewer.login_id] = self._settings.max_streams_per_login
            if network := network_of(address_of(request)):
                bounds["address", network] = self._settings.max_streams_per_address
        return bounds
