"""Cursors: how far a session has been sent, as text. A client gets it in `id:` lines, and returns it to resume.

    3kf0aQ1x~bWxP2c0Qk1A.57~q0s8Zk3b2hY.4      epoch, then topic key and seq for each topic

Cursors are opaque to clients, which may only compare two for equality. Topics are sorted, so equal positions are equal
text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.live.topics import Topic

MAX_LENGTH = 8_000  # characters; a hundred topics take half of it
MAX_SEQ = 2**63 - 1

_SHAPE = re.compile(r"(?P<epoch>[\w-]{1,32})(?P<positions>(?:~[\w-]{11}\.\d{1,19})+)", re.ASCII)


class BadCursor(ValueError):
    """The text is not a Parley cursor."""


@dataclass(frozen=True)
class Cursor:
    """Positions by topic key within one epoch."""

    epoch: str
    positions: Mapping[str, int]

    @classmethod
    def parse(cls, text: str) -> Cursor:
        shape = _SHAPE.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if not shape:
            raise BadCursor(text[:80])
        pairs = (part.split(".") for part in shape["positions"].split("~")[1:])
        positions = {key: int(seq) for key, seq in pairs}
        if any(seq > MAX_SEQ for seq in positions.values()):
            raise BadCursor(text[:80])
        return cls(shape["epoch"], positions)

    def of(self, topic: Topic) -> int | None:
        """This cursor's seq in `topic`; None if it does not contain the topic."""
        return self.positions.get(topic.key)


def write_cursor(epoch: str, positions: Mapping[Topic, int]) -> str:
    """The text of a cursor, for a snapshot."""
    return join_cursor(epoch, [write_position(topic.key.encode(), seq) for topic, seq in positions.items()]).decode()


def write_position(topic_key: bytes, seq: int) -> bytes:
    return b"%b.%d" % (topic_key, seq)


def join_cursor(epoch: str, positions: list[bytes]) -> bytes:
    """The text of a cursor, from written positions. Sorts `positions`."""
    positions.sort()
    return b"~".join([epoch.encode(), *positions])


class Cursors:
    """The cursors that a client sends: none, one, or one for each of several snapshots. Raises BadCursor."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._all = [Cursor.parse(text) for text in texts]

    def start(self, topic: Topic) -> int | None:
        """The seq from which the client misses nothing; None if no cursor contains the topic."""
        return min(self._named(topic), default=None)

    def are_of(self, epoch: str | None) -> bool:
        return all(cursor.epoch == epoch for cursor in self._all)

    def are_ahead(self, topic: Topic, head: int) -> bool:
        """Whether one of them has a seq above the head of the topic."""
        return max(self._named(topic), default=0) > head

    def _named(self, topic: Topic) -> list[int]:
        return [seq for cursor in self._all if (seq := cursor.of(topic)) is not None]
