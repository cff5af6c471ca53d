"""Watchers: what the rest of the engine knows of a session (`app.live.stream.session`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.live.topics import Topic
from app.live.viewers import Viewer


class Watcher(Protocol):
    """A session, as its feeds, its rooms, the pacing and the heartbeats use it. It is hashable by identity."""

    viewer: Viewer
    network: str | None  # as limits count it

    @property
    def topics(self) -> Sequence[Topic]: ...

    def wake(self) -> None:
        """Send what is new, now or soon. Synchronous, and it never raises."""

    def on_heartbeat_due(self) -> None:
        """Send a heartbeat, now or soon."""
