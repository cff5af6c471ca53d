"""Admission: how many streams this process holds, in all, for one login and for one network address.

Each costs memory for as long as it is open, so there is a bound, and who comes past it is sent away for a while. Every
process counts its own, since it is its own memory that it guards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from app.live.viewers import Viewer
from app.settings import Settings
from app.web.identity import address_of
from app.web.limits import network_of

ALL = ("all", "")

Bound = tuple[str, object]  # the kind of thing that has one, and which of them


class Admission:
    """The open streams, counted under each thing that has a bound."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: Counter[Bound] = Counter()
        self.refused = dict.fromkeys(("all", "login", "address"), 0)  # by the bound that was reached, since the start

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._open[ALL]

    @contextmanager
    def place(self, request: Request, viewer: Viewer) -> Iterator[bool]:
        """A place for one stream while the block lasts; False where there is none."""
        bounds = self._bounds(request, viewer)
        full = [kind for (kind, which), most in bounds.items() if self._open[kind, which] >= most]
        free = not full
        if free:
            self._open.update(bounds.keys())
        else:
            self.refused[full[0]] += 1
        try:
            yield free
        finally:
            for bound in bounds if free else ():
                self._open[bound] -= 1
                if not self._open[bound]:
                    del self._open[bound]  # what is at zero is forgotten

    def _bounds(self, request: Request, viewer: Viewer) -> dict[Bound, int]:
        bounds: dict[Bound, int] = {ALL: self._settings.max_streams}
        if self._settings.rate_limits:
            if viewer.login_id:
                bounds["login", viewer.login_id] = self._settings.max_streams_per_login
            if network := network_of(address_of(request)):
                bounds["address", network] = self._settings.max_streams_per_address
        return bounds
