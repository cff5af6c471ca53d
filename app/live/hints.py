"""Hints: notes that a topic has a change at a seq. A hint requests a read of its topic, and carries no content.

Inside a process a hint is a value. Redis carries it as text, a Global ID with two parameters:

    gid://parley/Comment/<id>?topic=Article%2F1&seq=57
"""

from __future__ import annotations

from dataclasses import dataclass

from app.live.gids import BadGid, Gid
from app.live.topics import BadTopic, Topic


class BadHint(ValueError):
    """The text is not a hint."""


@dataclass(frozen=True, slots=True)
class Hint:
    """The object `gid` has changed, and the change has this seq in this topic."""

    gid: Gid
    topic: Topic
    seq: int

    @classmethod
    def parse(cls, text: str) -> Hint:
        """Raises BadHint."""
        try:
            gid = Gid.parse(text)
            return cls(Gid(gid.model, gid.id), Topic.parse(gid.params["topic"]), int(gid.params["seq"]))
        except (BadGid, BadTopic, KeyError, ValueError):
            raise BadHint(f"not a hint: {text[:200]!r}") from None

    def __str__(self) -> str:
        return str(Gid(self.gid.model, self.gid.id, {"topic": str(self.topic), "seq": str(self.seq)}))
