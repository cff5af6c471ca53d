"""Runs: many changes with one `id:` line, as bytes that sessions share. They are for clients that are far behind.

1. Only the last change of a run has an `id:` line. If the connection breaks inside the run, the client resumes from its
   id before the run and gets the run again. It ignores the states that it has, by their seq.
2. The bytes depend on the first seq, on the kind of viewer, and on the changes whose object the client does not have
   (`create`; the others are `update`). Sessions for which all three are equal share them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from app.live import wire
from app.live.read.changes import Change
from app.live.viewers import Viewer

RUN_BYTES = 65_536  # in one run, plus at most one frame
MAX_RUNS = 8  # shared ones of one chunk; further sessions get runs of their own


@dataclass(frozen=True, slots=True)
class Run:
    """The blocks of `count` changes up to the seq `reached`. The session's `id:` line is between the two parts (1)."""

    begin: bytes
    end: bytes
    reached: int
    count: int

    @property
    def size(self) -> int:
        return len(self.begin) + len(self.end)

    def with_id(self, id: bytes) -> bytes:
        return self.begin + wire.change(id, b"", self.end)


class Chunk:
    """Changes above `start`, complete up to `reached`, for sessions below the backlog. The topic's head was `head`."""

    __slots__ = ("_authors", "_created_seqs", "_frame_bytes", "_runs", "changes", "head", "reached", "start")

    def __init__(self, start: int, reached: int, head: int, changes: Sequence[Change]) -> None:
        self.start = start
        self.reached = reached
        self.head = head
        self.changes = changes
        self._frame_bytes = sum(change.size for change in changes)
        self._authors = {change.author_id for change in changes} - {None}
        self._created_seqs = sorted(change.created_seq for change in changes)
        self._runs: dict[tuple[int, bool, int], Run] = {}  # (2)

    @property
    def size(self) -> int:
        """Bytes of its frames and shared runs."""
        return self._frame_bytes + sum(run.size for run in self._runs.values())

    def run(self, after: int, viewer: Viewer, caught_up_at: int) -> Run:
        """The next changes above the seq `after`. It is shared, unless the viewer wrote one of the changes here."""
        if viewer.user_id in self._authors:
            return self._encode_run(after, viewer, caught_up_at)
        key = after, viewer.moderator, bisect_right(self._created_seqs, caught_up_at)
        run = self._runs.get(key) or self._encode_run(after, viewer, caught_up_at)
        if len(self._runs) < MAX_RUNS:
            self._runs[key] = run
        return run

    def _encode_run(self, after: int, viewer: Viewer, caught_up_at: int) -> Run:
        newer = [change for change in self.changes if change.seq > after]
        return encode_run(newer, self.reached, viewer, caught_up_at)


def encode_run(changes: Sequence[Change], reached: int, viewer: Viewer, caught_up_at: int) -> Run:
    """The first of these changes, until the run is full. `changes` are all up to the seq `reached`."""
    blocks, size, seq, count = [], 0, 0, 0
    for change in changes:
        if size > RUN_BYTES:
            break
        seq, count = change.seq, count + 1
        if frame := change.frame(viewer.kind(change.author_id)):
            blocks.append(change.event_line(frame, caught_up_at) + frame.data)
            size += len(blocks[-1])
    else:
        seq = reached
    return Run(b"".join(blocks[:-1]), blocks[-1] if blocks else b"\n", seq, count)
