"""Sessions: one connected stream each. A session keeps one cursor per topic and no queue.

A session produces bytes: the changes between its cursors and the heads of its feeds. The `id:` of each block says how
far this session has been sent. A session does not know the connection that its bytes go to.

1. A session registers with its feeds, and then checks the login. A login that ends in between has woken it already.
2. A session checks for news and then waits, with no await in between. `wake` may be called before the wait: the flag
   `_woken` keeps it.
3. If a waiting session is woken and the data is in memory, `wake` writes it to the outlet immediately. Waking a task
   for it would double the cost. The generator sends the rest: data that needs the database, and data that arrives
   while the outlet is not free.
4. While a reset is pending, the id is one that the cursor parser rejects. If the connection breaks before the `reset`
   arrives, the next stream begins with a reset again, and does not continue as if nothing were missing.
5. Presence is sent when there is nothing else to send. It is a version for each topic and has no queue either. It does
   not end a long poll, because the client would return immediately, again and again. It is sent with what ends one.
6. If the viewer becomes a moderator, or stops being one, they may follow other topics than those of this stream. The
   stream ends, and the next request decides which topics it may have.
7. If a client has an object, the session sends only the members that have changed (`LiveModel.partial`). The cursor
   does not show whether the client has it: a read leaves out an object that changed again before it, up to the newest
   seq of that object. So each topic has a seq `complete`: the client has every object as it was at that seq, or later.
   It moves to the head when the session has sent everything up to the head, and the head is from a settled read. That
   read must have begun after the session began, and after its last batch from the database. Until then objects are
   sent whole.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from app.database import is_unavailable
from app.live import wire
from app.live.cursors import join_cursor, write_position
from app.live.heartbeats import Heartbeats
from app.live.pacing import Pacing
from app.live.presence.service import Presence
from app.live.read.changes import Change
from app.live.read.feeds import Feed, Feeds
from app.live.stats import StreamStats
from app.live.stream.resume import Reason, common_epoch, find_resume_point
from app.live.topics import Topic
from app.live.viewers import LoginEnded, Viewer

BATCH_BYTES = 65_536  # in one batch, plus at most one frame; this bounds the memory that a slow client costs
LONG_POLL_SECONDS = 5.0  # that a long poll waits for news: a buffering proxy shows the client nothing before its end
RESET_PENDING_ID = b"lost"  # (4)

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Takes blocks of a session without waiting, while its generator waits (3)."""

    free: bool  # whether all blocks so far have been sent

    def put(self, block: bytes) -> bool:
        """Send a block; only while the outlet is free. Returns whether it is still free afterwards."""


class TopicCursor:
    """A session's cursor in one topic."""

    __slots__ = ("caught_up_at", "complete", "feed", "presence_version", "seq", "served_at", "text")

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.presence_version = 0  # that the client has
        self.start_at(0)

    def start_at(self, seq: int) -> None:
        """Count everything up to `seq` as sent, and the session as caught up there."""
        self.move_to(seq)
        self.caught_up_at = seq  # the last head that the session had reached
        self.complete = -1  # (7)
        self.served_at = self.feed.reads

    def catch_up(self, head: int) -> None:
        """Note that everything up to the head has been sent."""
        self.caught_up_at = head
        if self.feed.settled_read > self.served_at:
            self.complete = head  # (7)

    def move_to(self, seq: int) -> None:
        feed = self.feed
        self.seq = seq
        self.text = feed.text if seq == feed.head else write_position(feed.key, seq)


class Session:
    """One stream of `topics` for `viewer`, from `cursors` on (texts from the client; without any, from the heads).

    `authorise` returns the viewer as the database knows it now, or raises LoginEnded. With `once`, the stream is a long
    poll: it ends after the first batch, or after one heartbeat interval without any. `ended` says how the login of the
    request has ended: the client is informed that this stream is a guest's. With `presence`, the viewer is shown at
    these topics, and receives the presence of others. `network` is the client's network, as limits count it: networks
    take turns.
    """

    __slots__ = (
        "_account", "_authorise", "_authorised_at", "_cursor_texts", "_ended", "_ending", "_epoch", "_feeds",
        "_heartbeat_every", "_heartbeat_is_due", "_heartbeats", "_login_ended", "_once", "_outlet", "_pacing",
        "_presence", "_retry", "_stats", "_topic_cursors", "_waiting", "_woken", "network", "topics", "viewer",
    )  # fmt: skip

    def __init__(
        self,
        feeds: Feeds,
        topics: Iterable[Topic],
        viewer: Viewer,
        cursors: Sequence[str] = (),
        *,
        pacing: Pacing,
        heartbeats: Heartbeats,
        stats: StreamStats,
        authorise: Callable[[], Awaitable[Viewer]],
        heartbeat: float = 15,
        once: bool = False,
        ended: LoginEnded | None = None,
        presence: Presence | None = None,
        network: str | None = None,
    ) -> None:
        self.topics = tuple(dict.fromkeys(topics))
        self.viewer = viewer
        self.network = network
        self._feeds = feeds
        self._pacing = pacing
        self._heartbeats = heartbeats
        self._stats = stats
        self._cursor_texts = cursors
        self._authorise = authorise
        self._heartbeat_every = min(heartbeat, LONG_POLL_SECONDS) if once else heartbeat
        self._heartbeat_is_due = False
        self._once = once
        self._ended = ended
        self._presence = presence
        self._retry = wire.RETRY_POLLING_MS if once else wire.RETRY_MS
        self._epoch: str | None = None
        self._topic_cursors: list[TopicCursor] = []  # in the order in which they are served
        self._account: Feed | None = None
        self._authorised_at: tuple[str | None, int | None] = (None, None)
        self._outlet: Outlet | None = None
        self._woken = False
        self._waiting: asyncio.Future[None] | None = None
        self._ending = False
        self._login_ended = False

    def wake(self) -> None:
        """There may be something to send."""
        if self._waiting is None:
            self._woken = True
        elif not self._send_from_memory():
            self._woken = True
            if not self._waiting.done():  # the waiting task may be about to be cancelled
                self._waiting.set_result(None)
            self._waiting = None

    def on_heartbeat_due(self) -> None:
        self._heartbeat_is_due = True
        self.wake()

    def _send_from_memory(self) -> bool:
        """Send the data that is in memory through the outlet (3). False if the generator has to continue."""
        outlet = self._outlet
        if outlet is None or self._ending or self._once:
            return False
        try:
            block, complete = self._collect_from_memory()
        except Exception:
            # The cursor may have passed changes that were not sent. The client reconnects with the cursor it received.
            log.exception("a session could not send; its stream ends, and the client reconnects")
            self._end_with_back_off()
            return False
        return (not block or outlet.put(block)) and complete

    def end(self) -> None:
        """End the stream soon, with a `retry:` line; the client reconnects with its cursor."""
        self._ending = True
        self.wake()

    async def stream(self, outlet: Outlet | None = None) -> AsyncIterator[bytes]:
        """Yield the blocks of this stream, except those sent through `outlet` (3). An empty block asks the consumer to
        wait until the outlet is free. The session is registered with its feeds from the first step to the last.
        """
        self._feeds.enter(self)
        self._outlet = outlet
        try:
            if first := await self._open():
                yield first
            if self._presence and not self._ending:
                self._presence.enter(self)
            while not self._ending:
                self._woken = False
                if outlet and not outlet.free:
                    yield b""  # read the next data only after that: content may be erased in the meantime
                elif sent := await self._step():
                    if self._once:
                        sent += self._presence_news()
                        self._ending = True
                    yield sent
                elif not self._ending:
                    await self._wait()
            yield wire.retry(self._retry) + b"\n"
        finally:
            self._feeds.leave(self)
            self._heartbeats.forget(self)
            if self._presence:
                self._presence.leave(self, at_once=self._login_ended)

    async def _wait(self) -> None:
        if not self._woken:  # (2)
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    # -- opening the stream ---------------------------------------------------------------------------------

    async def _open(self) -> bytes:
        """The first block: a heartbeat, followed by a `reset` of the topics that cannot resume."""
        feeds = [self._feeds[topic] for topic in self.topics]
        # In random order, so that no topic is always the last.
        self._topic_cursors = [TopicCursor(feed) for feed in random.sample(feeds, len(feeds))]
        self._account = next((feed for feed in feeds if feed.topic.is_account), None)
        # (7): the head is read for this session alone, and the client has nothing yet.
        alone = {feed.topic for feed in feeds if feed.head is None and len(feed.watchers) == 1}
        has_no_cursors = not self._cursor_texts
        resume_point = await find_resume_point(self._feeds, feeds, self._cursor_texts, self.network)
        await self._pacing.wait_turn(self.network)
        self._cursor_texts = ()
        if resume_point.epoch is None:
            self._end_with_back_off()
            return b""
        self._epoch = resume_point.epoch
        for cursor in self._topic_cursors:
            cursor.start_at(resume_point.starts[cursor.feed.topic])
            if has_no_cursors or (cursor.feed.topic in alone and cursor.seq == cursor.feed.head):
                cursor.complete = cursor.seq
        reason = resume_point.reason
        self._ending = self._ending or (self._once and reason is not None)
        first = wire.retry(self._retry) + self._heartbeat(RESET_PENDING_ID if reason else self._id())
        if self._ended:
            first += wire.auth(self._ended.reason)
        return first + self._reset(resume_point.reset_topics, reason) if reason else first

    # -- sending --------------------------------------------------------------------------------------------

    async def _step(self) -> bytes:
        """The next data to send; empty if there is none. If the database is unavailable, the stream ends."""
        try:
            return await self._next()
        except Exception as error:
            if not is_unavailable(error):
                raise
            self._end_with_back_off()
            return b""

    async def _next(self) -> bytes:
        if sent := await self._recheck_login():
            return sent
        sent, complete = self._collect_from_memory()
        if sent or complete:
            return sent
        if self._account_moved():
            return b""  # it moved again during the check
        if any(cursor.feed.epoch != self._epoch for cursor in self._topic_cursors):
            return await self._begin_epoch()
        return await self._fetch(
            next(cursor for cursor in self._topic_cursors if cursor.seq < cursor.feed.backlog.floor)
        )

    def _collect_from_memory(self) -> tuple[bytes, bool]:
        """(the data that can be sent without a read, whether that is all there is)."""
        if self._account and self._account_moved():
            return b"", False
        sent, size = [], 0
        if self._heartbeat_is_due:
            sent.append(self._heartbeat(self._id()))
        for count, cursor in enumerate(self._topic_cursors, 1):
            feed, head = cursor.feed, cursor.feed.head or 0
            if feed.epoch != self._epoch or cursor.seq < feed.backlog.floor:
                return b"".join(sent), False
            if cursor.seq < head:
                sent.append(batch := self._batch(cursor, feed.backlog.after(cursor.seq), head))
                size += len(batch)
                if size > BATCH_BYTES:
                    # Serve the other topics next, before this busy one.
                    self._topic_cursors = self._topic_cursors[count:] + self._topic_cursors[:count]
                    return b"".join(sent), False
        if self._presence and not self._once:
            sent.append(self._presence_news())  # (5)
        return b"".join(sent), True

    def _presence_news(self) -> bytes:
        """The presence of these topics, as far as the client does not have it."""
        if self._presence is None or self._ending:
            return b""
        sent = []
        for cursor in self._topic_cursors:
            if news := self._presence.news(self, cursor.feed.topic, cursor.presence_version):
                cursor.presence_version, block = news
                sent.append(block)
        return b"".join(sent)

    async def _recheck_login(self) -> bytes:
        """Check the login again if the topic of its account has moved, before anything else is sent."""
        if not self._account_moved():
            return b""
        known = self._account_head()
        try:
            viewer = await self._authorise()
        except LoginEnded as ended:
            self._ending = self._login_ended = True
            return wire.auth(ended.reason)
        self._authorised_at = known
        was, self.viewer = self.viewer, viewer
        if self._presence and viewer.username != was.username:
            self._presence.rename(self)
        if viewer.moderator == was.moderator:
            return b""
        self._ending = True  # (6)
        return self._reset(self.topics, Reason.VIEWER)

    def _account_moved(self) -> bool:
        return self._account is not None and self._account_head() != self._authorised_at

    def _account_head(self) -> tuple[str | None, int | None]:
        return (self._account.epoch, self._account.head) if self._account else (None, None)

    async def _begin_epoch(self) -> bytes:
        """The database has a new epoch: the client's data may belong to another history, so everything is reset."""
        self._epoch = await common_epoch(self._feeds, [cursor.feed for cursor in self._topic_cursors], self.network)
        if self._epoch is None:
            self._end_with_back_off()
            return b""
        return self._reset(self.topics, Reason.EPOCH)

    def _end_with_back_off(self) -> None:
        self._ending, self._retry = True, wire.RETRY_TROUBLE_MS

    async def _fetch(self, cursor: TopicCursor) -> bytes:
        """The next changes of a topic from the database, because its backlog does not reach back to the cursor."""
        feed, head = cursor.feed, cursor.feed.head or 0
        chunk = await feed.chunk(cursor.seq, self.network)
        cursor.served_at = feed.reads  # (7)
        await self._pacing.wait_turn(self.network)
        self._stats.conflations += 1
        if feed.backlog.floor > head or self._account_moved():
            return b""  # the backlog has dropped newer changes meanwhile, or the login may have ended
        # The backlog has the changes that the feed has read meanwhile. One of them may erase a change of this chunk.
        changes = [
            change for change in chunk.changes if change.seq > cursor.seq and not feed.backlog.supersedes(change)
        ]
        return self._batch(cursor, changes, chunk.reached)

    def _batch(self, cursor: TopicCursor, changes: Sequence[Change], reached: int) -> bytes:
        """Blocks of these changes, until the batch is full. `changes` are all changes up to the seq `reached`."""
        head = cursor.feed.head or 0
        sent, size, id_is_sent = [], 0, True
        for change in changes:
            if size > BATCH_BYTES:
                break
            sent.append(block := self._block(cursor, change))
            size += len(block)
            id_is_sent = bool(block)
        else:
            id_is_sent = id_is_sent and cursor.seq == reached
            if cursor.seq != reached:
                cursor.move_to(reached)
        if cursor.seq >= head:
            cursor.catch_up(head)
        self._stats.blocks += len(sent)
        if not id_is_sent:
            sent.append(wire.position(self._id()))
        return b"".join(sent)

    def _block(self, cursor: TopicCursor, change: Change) -> bytes:
        """One change for this viewer; empty if this kind of viewer is sent nothing of it."""
        cursor.move_to(change.seq)
        frame = change.frame_for(self.viewer.kind(change.author_id), cursor.complete)
        if frame is None:
            return b""
        verb = "destroy"
        if frame.shows:
            verb = "create" if change.created_seq > cursor.caught_up_at else "update"
        return wire.change(self._id(), change.live.event_lines[verb], frame.data)

    def _heartbeat(self, id: bytes) -> bytes:
        self._heartbeat_is_due = False
        self._heartbeats.set(self, self._heartbeat_every)
        head = join_cursor(self._epoch or "", [cursor.feed.text for cursor in self._topic_cursors])
        return wire.heartbeat(id, head)

    def _reset(self, topics: Sequence[Topic], reason: Reason) -> bytes:
        """A `reset` event: the client fetches these topics again, and the stream continues from their heads."""
        self._stats.resets[reason] += 1
        for cursor in self._topic_cursors:
            if cursor.feed.topic in topics:
                cursor.start_at(cursor.feed.head or 0)
        return wire.reset(self._id(), topics, reason)

    def _id(self) -> bytes:
        """The `id:` that says how far this session has been sent."""
        return join_cursor(self._epoch or "", [cursor.text for cursor in self._topic_cursors])
