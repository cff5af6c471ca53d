"""Cursors: how far a session has read, as the text that travels in `id:` lines and comes back.

    3kf0aQ1x~bWxP2c0Qk1A.57~q0s8Zk3b2hY.4      epoch, then topic key and seq for each topic

Opaque to clients, who may only compare two for equality: topics are sorted, so equal positions are equal text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.live.topics import Topic

LONGEST = 8_000  # characters; a hundred topics take half of it
GREATEST_SEQ = 2**63 - 1

_SHAPE = re.compile(r"(?P<epoch>[\w-]{1,32})(?P<positions>(?:~[\w-]{11}\.\d{1,19})+)", re.ASCII)


class BadCursor(ValueError):
    """Not a cursor of ours."""


@dataclass(frozen=True)
class Cursor:
    """Positions by topic key within one epoch."""

    epoch: str
    positions: Mapping[str, int]

    @classmethod
    def parse(cls, text: str) -> Cursor:
        shape = _SHAPE.fullmatch(text) if len(text) <= LONGEST else None
        if not shape:
            raise BadCursor(text[:80])
        pairs = (part.split(".") for part in shape["positions"].split("~")[1:])
        positions = {key: int(seq) for key, seq in pairs}
        if any(seq > GREATEST_SEQ for seq in positions.values()):
            raise BadCursor(text[:80])
        return cls(shape["epoch"], positions)

    def of(self, topic: Topic) -> int | None:
        """This cursor's seq in `topic`, None when it does not name it."""
        return self.positions.get(topic.key)


def write_cursor(epoch: str, positions: Mapping[Topic, int]) -> str:
    return "~".join([epoch, *sorted(f"{topic.key}.{seq}" for topic, seq in positions.items())])


def smallest(cursors: Iterable[Cursor], topic: Topic) -> int | None:
    """Where to start in `topic` so that no holder of these cursors misses anything."""
    return min((seq for cursor in cursors if (seq := cursor.of(topic)) is not None), default=None)
