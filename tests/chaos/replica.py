"""A replica: one browser's state of some topics, updated by the documented rules for clients only.

It loads a snapshot with its cursor. Then it applies each change that is newer than the row it has. A destroyed row
stays destroyed. A `reset` makes it load again. It sends cursors back and never parses them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.sse import Block

Row = dict[str, Any]
Rows = dict[str, Row]  # by id


class Replica:
    """Rows by topic, as one viewer gets them. Rows below `oldest` are not loaded."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = tuple(dict.fromkeys(topics))
        self.rows: dict[str, Rows] = {topic: {} for topic in self.topics}
        self.cursors: dict[str, str] = {}  # of the snapshots
        self.position: str | None = None  # of the stream
        self.oldest: dict[str, int] = {}
        self.unloaded = set(self.topics)
        self.complaints: list[str] = []
        self._gone: dict[str, int] = {}

    def load(self, topic: str, snapshot: Mapping[str, Any]) -> None:
        """Start again with a page of the newest comments."""
        comments = snapshot["comments"]
        self.rows[topic] = {row["id"]: row for row in comments}
        self.oldest[topic] = snapshot["before"] or 0
        self.cursors[topic] = snapshot["cursor"]
        self.unloaded.discard(topic)

    def take(self, block: Block) -> None:
        if block.event.startswith("global.comment."):
            self._merge(block.event.split(".")[2], block.model)
        if block.event == "reset":
            self.unloaded |= {topic for topic in block.json()["topics"] if topic in self.topics}
        if block.id is not None:
            self.position = block.id

    def come_back_as(self, former: Replica) -> None:
        """Return to an earlier state, as a tab that was suspended."""
        kept = copy.deepcopy(former)
        self.rows, self.cursors, self.position = kept.rows, kept.cursors, kept.position
        self.oldest, self.unloaded, self._gone = kept.oldest, kept.unloaded, kept._gone

    def _merge(self, verb: str, row: Row) -> None:
        topic = f"{row['commentable_type']}/{row['commentable_id']}"
        if topic not in self.rows:
            self.complaints.append(f"a change of {topic}, which was not asked for")
            return
        rows, id_ = self.rows[topic], row["id"]
        if verb == "destroy":
            self._gone[id_] = max(row["seq"], self._gone.get(id_, 0))
            rows.pop(id_, None)
        elif row["seq"] > max(self._gone.get(id_, 0), rows.get(id_, {"seq": 0})["seq"]):
            if id_ in rows or row["created_seq"] >= self.oldest.get(topic, 0):
                rows[id_] = row
        elif row["seq"] < self._gone.get(id_, 0):
            self.complaints.append(f"{id_} was shown at {row['seq']} after it had been erased at {self._gone[id_]}")

    def lacks(self, topic: str, fresh: Rows) -> list[str]:
        """The difference from a fresh snapshot in the loaded window; empty if there is none."""
        oldest = self.oldest.get(topic, 0)
        wanted = {id_: row for id_, row in fresh.items() if row["created_seq"] >= oldest}
        has = self.rows[topic]
        return [
            f"{topic} {id_}: has {_short(has.get(id_))}, should have {_short(wanted.get(id_))}"
            for id_ in sorted(has.keys() | wanted.keys())
            if has.get(id_) != wanted.get(id_)
        ]


def _short(row: Row | None) -> str:
    return "nothing" if row is None else f"seq {row['seq']} {row['body'][:40]!r}"
