"""Batches: the changes of one topic as the bytes for one session. Nothing here sends, waits or moves a cursor.

1. If a client has an object, the session sends only the members that have changed (`LiveModel.partial`). The cursor
   does not show whether the client has it: a read leaves out an object that changed again before it, up to the newest
   seq of that object. So each topic has a seq `complete`: the client has every object as it was at that seq, or later.
   It moves to the head when the session has sent everything up to the head, and the head is from a settled read. That
   read must have begun after the session began, and after its last batch from the database. Until then objects are
   sent whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.live import wire
from app.live.cursors import join_cursor, write_position
from app.live.read.changes import Change
from app.live.read.feeds import Feed
from app.live.viewers import Viewer

BATCH_BYTES = 65_536  # in one batch, plus at most one frame; this bounds the memory that a slow client costs
FIRST_BATCH_BYTES = 16_384  # in the first batch from the database, before runs (`Session._fetch`)


class TopicCursor:
    """A session's cursor in one topic."""

    __slots__ = ("caught_up_at", "complete", "feed", "gets_runs", "presence_version", "seq", "served_at", "text")

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.presence_version = 0  # that the client has
        self.start_at(0)

    def start_at(self, seq: int) -> None:
        """Count everything up to `seq` as sent, and the session as caught up there."""
        self.seq = seq
        self.text = self.text_at(seq)
        self.caught_up_at = seq  # the last head that the session had reached
        self.complete = -1  # (1)
        self.gets_runs = False
        self.served_at = self.feed.reads

    def move_to(self, seq: int) -> None:
        """Note that everything up to `seq` has been sent."""
        self.seq = seq
        self.text = self.text_at(seq)
        head = self.feed.head or 0
        if seq >= head:
            self.caught_up_at = head
            if self.feed.settled_read > self.served_at:
                self.complete = head  # (1)

    def text_at(self, seq: int) -> bytes:
        """The position `seq`, as in cursors."""
        return self.feed.text if seq == self.feed.head else write_position(self.feed.key, seq)


def encode_batch(
    cursor: TopicCursor,
    changes: Sequence[Change],
    reached: int,
    viewer: Viewer,
    epoch: str,
    others: list[bytes],
    most: int = BATCH_BYTES,
) -> tuple[bytes, int, int]:
    """(the blocks of these changes, the seq that they reach, how many of the changes they are), up to `most` bytes.

    `changes` are all changes from the cursor up to the seq `reached`. `others` are the positions of the session in its
    other topics: the `id:` of each block says how far the session has been sent in all of them.
    """
    sent: list[bytes] = []
    size, seq, count, id_is_sent = 0, cursor.seq, 0, True
    for change in changes:
        if size > most:
            break
        seq, count = change.seq, count + 1
        frame = change.frame_for(viewer.kind(change.author_id), cursor.complete)
        id_is_sent = frame is not None
        if frame is not None:
            id = join_cursor(epoch, [*others, cursor.text_at(seq)])
            sent.append(block := wire.change(id, change.event_line(frame, cursor.caught_up_at), frame.data))
            size += len(block)
    else:
        id_is_sent = id_is_sent and seq == reached
        seq = reached
    if not id_is_sent:
        sent.append(wire.position(join_cursor(epoch, [*others, cursor.text_at(seq)])))
    return b"".join(sent), seq, count
