"""Sealed presence: processes seal (sign) presence messages, and `Presence` gets a message only if its seal is valid."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from app.live.presence.service import Presence
from app.live.seals import BadSeal, Seals

WARN_EVERY_SECONDS = 60.0  # between two warnings, as everybody with access to Redis can cause them

log = logging.getLogger(__name__)


class SealedPresence:
    """Opens the sealed messages of the side channel for presence; an `app.live.pubsub.SideChannel`."""

    def __init__(self, presence: Presence, seals: Seals, clock: Callable[[], float] = time.monotonic) -> None:
        self._presence = presence
        self._seals = seals
        self._clock = clock
        self._warn_at = 0.0
        self._ignored = 0

    def receive(self, text: str) -> None:
        try:
            opened = self._seals.open(text)
        except BadSeal as error:
            self._ignore(error)
        else:
            self._presence.receive(opened)

    def resync(self) -> None:
        self._presence.resync()

    def _ignore(self, error: BadSeal) -> None:
        self._ignored += 1
        if self._clock() >= self._warn_at:
            self._warn_at = self._clock() + WARN_EVERY_SECONDS
            log.warning("presence: ignored %d messages on Redis; the reason for the last one: %s", self._ignored, error)
            self._ignored = 0
