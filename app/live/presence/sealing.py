"""Sealing: processes sign the presence messages that they send each other on Redis. Without it, everybody with access
to Redis could show text in every browser.

    <signature>[,<signature>…] <sender> <number> <unix seconds> <text>

1. A message has one signature for each of our keys. So processes before and after a change of SECRET_KEY understand
   each other as long as they have one key in common.
2. A message is valid for `MAX_AGE_SECONDS`, by the clocks of both machines.
3. A sender numbers its messages. A number that is not above the last one of that sender is a replay.
4. The length of a message, its signatures, and the senders whose last number is kept are bounded.
5. The messages have a channel beside that of the hints, so that the channel of the hints carries nothing but gids.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import Self
from uuid import uuid4

from app.live.presence.service import Presence
from app.live.pubsub import PubSub
from app.live.signing import Signer

MAX_AGE_SECONDS = 60
MAX_LENGTH = 40_000  # characters
MAX_SIGNATURES = 8
MAX_SENDERS = 1_000  # whose last number is kept; past that the least recent sender is dropped
MAX_QUEUED_MESSAGES = 1_000  # to be sent
WARN_EVERY_SECONDS = 60.0  # between two warnings, as everybody with access to Redis can cause them

log = logging.getLogger(__name__)

_SHAPE = re.compile(
    r"(?P<signatures>[\w,-]{1,600}) "
    r"(?P<signed>(?P<sender>[0-9a-f]{32}) (?P<number>\d{1,15}) (?P<at>\d{1,12}) (?P<text>.*))",
    re.ASCII | re.DOTALL,
)


class BadSeal(ValueError):
    """The message is not authentic, too old, or a replay. The text of this exception says why."""


class Seals:
    """Seals and opens the messages of one channel. `purpose` is part of what is signed, so that messages of other
    channels are not valid here."""

    def __init__(self, signer: Signer, purpose: str, clock: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._purpose = purpose
        self._clock = clock
        self._sender = uuid4().hex
        self._number = 0
        self._last: dict[str, int] = {}  # last number by sender, the most recent sender at the end

    @classmethod
    def of_presence(cls, keys: Sequence[str], channel: str) -> Self:
        """The seals of presence messages, which use the channel of the hints."""
        return cls(Signer(keys), f"presence on {channel}")

    def seal(self, text: str) -> str:
        self._number += 1
        signed = f"{self._sender} {self._number} {int(self._clock())} {text}"
        return f"{','.join(self._signer.signatures(signed, self._purpose))} {signed}"

    def open(self, sealed: str) -> str:
        """The text. Raises BadSeal."""
        shape = _SHAPE.fullmatch(sealed) if len(sealed) <= MAX_LENGTH else None
        if not shape:
            raise BadSeal("it is not signed")
        signatures = shape["signatures"].split(",")
        if len(signatures) > MAX_SIGNATURES or not self._signer.verifies(shape["signed"], signatures, self._purpose):
            raise BadSeal("it is not signed with a key of this process's SECRET_KEY")
        age = self._clock() - int(shape["at"])
        if abs(age) > MAX_AGE_SECONDS:
            raise BadSeal(f"it was signed {age:.0f} s ago; check the clocks of the machines")
        self._take(shape["sender"], int(shape["number"]))
        return shape["text"]

    def _take(self, sender: str, number: int) -> None:
        last = self._last.pop(sender, 0)
        self._last[sender] = max(last, number)
        if len(self._last) > MAX_SENDERS:
            del self._last[next(iter(self._last))]
        if number <= last:
            raise BadSeal("it is a replay")


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


def connect_presence(pubsub: PubSub, types: Collection[str], keys: Sequence[str], hints_channel: str) -> Presence:
    """The presence of this process at topics of these types, with a channel to that of other processes (5)."""
    seals = Seals.of_presence(keys, hints_channel)
    presence = Presence(types, lambda text: channel.publish(seals.seal(text)))
    channel = pubsub.open_channel(
        f"{hints_channel}.presence",
        SealedPresence(presence, seals).receive,
        presence.resync,
        max_queued=MAX_QUEUED_MESSAGES,
    )
    return presence
