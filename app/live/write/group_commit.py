"""Group commit: writes of several requests in one transaction, so that they share its statements and its commit.

1. `lock` is the first statement and one of its own. A later statement sees what other writers committed before the lock
   was taken. If one statement took the counters and read rows, it would read rows from before its wait for the lock.
2. A write that fails a check takes no seq. If the database refuses a row, nothing of the group is stored, because to
   skip the row would leave a gap. Then each write of the group gets a transaction of its own.
3. A group waits for a counter for a short time only. Otherwise a slow writer of one topic would delay the writes on all
   topics of the group, and of the groups after it. A write alone waits as long as any other (`app.database`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, inspect

from app.database import Base
from app.live.gids import Gid
from app.live.hints import Hint
from app.live.model import Live
from app.live.topics import Topic
from app.live.write.sequences import set_counters, take_seqs

LOCK_TIMEOUT = "2s"  # of the statements of a group, on PostgreSQL (3); many times what a busy counter takes


class GroupWrite:
    """An open transaction of plain statements."""

    def __init__(self, connection: Connection, is_alone: bool) -> None:
        self.connection = connection
        self._lock_timeout = None if is_alone else LOCK_TIMEOUT
        self.hints: list[Hint] = []
        self.created: list[Live] = []
        self._rows: defaultdict[type[Any], list[Any]] = defaultdict(list)
        self._taken: Mapping[Topic, int] = {}
        self._seqs: dict[Topic, int] = {}

    def lock(self, counts: Mapping[Topic, int]) -> None:
        """Lock these topics, and take this many seqs of each, at most (1)."""
        self._taken = take_seqs(self.connection, {topic: counts[topic] for topic in sorted(counts)}, self._lock_timeout)
        self._seqs = {topic: seq - counts[topic] for topic, seq in self._taken.items()}

    def change(self, model: type[Live], id: UUID, topic: Topic) -> int:
        """The seq of a change of this object."""
        self._seqs[topic] += 1
        self.hints.append(Hint(Gid(model.__name__, str(id)), topic, self._seqs[topic]))
        return self._seqs[topic]

    def create(self, row: Live) -> None:
        """Store this row, with `finish`. The rows of a model must have the same attributes set."""
        seq = self.change(type(row), row.id, Topic.parse(row.topic))
        vars(row).update(seq=seq, created_seq=seq)  # no session stores it, so the ORM need not know
        self.created.append(row)
        self.add([row])

    def add(self, rows: Iterable[Live | Base]) -> None:
        """Store rows that are not live, under the same condition."""
        for row in rows:
            self._rows[type(row)].append(row)

    def finish(self) -> None:
        """Store the rows that were created, and give back the seqs that were not needed."""
        if not self.hints:
            self.connection.rollback()
            return
        for model, rows in self._rows.items():
            columns = [name for name in vars(rows[0]) if name in inspect(model).columns]
            self.connection.execute(insert(model), [{name: vars(row)[name] for name in columns} for row in rows])
        set_counters(self.connection, {topic: seq for topic, seq in self._seqs.items() if seq != self._taken[topic]})
