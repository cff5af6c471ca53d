"""Stream limits: bounds on the open streams of this process and on their topics: in all, per login, and per network
address.

An open stream costs memory. So there is a bound, and a client that exceeds it gets a `retry:` and reconnects later.
Each process counts only its own streams, because the bounds protect its own memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from starlette.requests import Request

from app.http.client_addresses import networks_of
from app.live.viewers import Viewer
from app.settings import Settings

STREAMS = ("all", "login", "address")  # the kinds of bounds: for the process, for a login, and for an address
TOPICS = ("topics", "login_topics", "address_topics")
ALL = (STREAMS[0], "")

Bound = tuple[str, object]  # the kind of bound, and the login or address that it is for


class Admission:
    """Counts the open streams and their topics for each bound."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: Counter[Bound] = Counter()
        self.refused = dict.fromkeys((*STREAMS, *TOPICS), 0)  # since the start, by the bound that was reached

    @property
    def streams(self) -> int:
        return self._open[ALL]

    @contextmanager
    def place(self, request: Request, viewer: Viewer, topics: int = 1) -> Iterator[bool]:
        """Hold a place for a stream of so many topics while the block runs; False if there is none."""
        leave = self.take(request, viewer, topics)
        try:
            yield leave is not None
        finally:
            if leave:
                leave()

    def take(self, request: Request, viewer: Viewer, topics: int = 1) -> Callable[[], None] | None:
        """Take a place for a stream of so many topics. Returns the function that gives it back; None if full."""
        bounds = self._bounds(request, viewer)
        full = [bound[0] for bound, most in bounds.items() if self._open[bound] + _cost(bound, topics) > most]
        if full:
            self.refused[full[0]] += 1
            return None
        self._open.update({bound: _cost(bound, topics) for bound in bounds})
        return partial(self._leave, tuple(bounds), topics)

    def _leave(self, bounds: Iterable[Bound], topics: int) -> None:
        for bound in bounds:
            self._open[bound] -= _cost(bound, topics)
            if not self._open[bound]:
                del self._open[bound]  # zeros would accumulate

    def _bounds(self, request: Request, viewer: Viewer) -> dict[Bound, int]:
        settings = self._settings
        bounds: dict[Bound, int] = {ALL: settings.max_streams}
        if settings.rate_limits:
            bounds[TOPICS[0], ""] = settings.max_topics
            if viewer.login_id:
                bounds["login", viewer.login_id] = settings.max_streams_per_login
                bounds["login_topics", viewer.login_id] = settings.max_topics_per_login
            for network in networks_of(request.scope, settings.environment):
                bounds["address", network.name] = settings.max_streams_per_address * network.times
                bounds["address_topics", network.name] = settings.max_topics_per_address * network.times
        return bounds


def _cost(bound: Bound, topics: int) -> int:
    """How much a stream of so many topics adds to this bound."""
    return topics if bound[0] in TOPICS else 1
