"""Sealed presence: processes seal (sign) presence messages, and `Presence` gets a message only if its seal is valid.

The messages have a Redis channel beside that of the hints, so that the channel of the hints carries nothing but gids.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence

from app.live.presence.service import Presence
from app.live.pubsub import PubSub
from app.live.seals import BadSeal, Seals

MAX_QUEUED_MESSAGES = 1_000  # to be sent
WARN_EVERY_SECONDS = 60.0  # between two warnings, as everybody with access to Redis can cause them

log = logging.getLogger(__name__)


def connect_presence(pubsub: PubSub, types: Collection[str], keys: Sequence[str], hints_channel: str) -> Presence:
    """The presence of this process at topics of these types, with a channel to that of other processes."""
    seals = Seals.of_presence(keys, hints_channel)
    presence = Presence(types, lambda text: channel.publish(seals.seal(text)))
    channel = pubsub.open_channel(
        f"{hints_channel}.presence",
        SealedPresence(presence, seals).receive,
        presence.resync,
        max_queued=MAX_QUEUED_MESSAGES,
    )
    return presence


class SealedPresence:
    """Opens the sealed messages of other processes, and passes them to presence."""

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

    def _ignore(self, error: BadSeal) -> None:
        self._ignored += 1
        if self._clock() >= self._warn_at:
            self._warn_at = self._clock() + WARN_EVERY_SECONDS
            log.warning("presence: ignored %d messages on Redis; the reason for the last one: %s", self._ignored, error)
            self._ignored = 0
