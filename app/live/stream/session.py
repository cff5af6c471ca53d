"""Sessions: one connected stream each. A session keeps one cursor per topic and no queue.

A session produces bytes: the changes between its cursors and the heads of its feeds (`app.live.stream.batch`). It does
not know the connection that its bytes go to.

    OPENING ──▶ CATCHING_UP ◀──▶ LIVE        and from each of them ──▶ ENDING

1. A session registers with its feeds, and then checks the login. A login that ends in between has moved the account's
   topic by then, so it is checked again before anything else is sent.
2. A session checks for news and then becomes LIVE, with no await in between. So `wake` has nothing to do for a session
   that is not LIVE: the next check finds the news.
3. If a LIVE session is woken and the data is in memory, `wake` writes it to the outlet immediately. Waking a task for
   it would double the cost. Otherwise the session is CATCHING_UP, and the generator sends the rest: data that needs the
   database, and data that arrives while the outlet is not free.
4. While a reset is pending, the id is one that the cursor parser rejects. If the connection breaks before the `reset`
   arrives, the next stream begins with a reset again, and does not continue as if nothing were missing.
5. Presence is sent when there is nothing else to send. It is a version for each topic and has no queue either. It does
   not end a long poll, because the client would return immediately, again and again. It is sent with what ends one.
6. If the viewer becomes a moderator, or stops being one, they may follow other topics than those of this stream. The
   stream ends, and the next request decides which topics it may have.
7. The first batch from below the backlog is small, and each change has its `id:`. The next batches are shared runs
   (`app.live.read.runs`). So a client that never stays connected for a whole run advances by one change at least.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from enum import Enum, auto
from typing import Protocol

from app.database import is_unavailable
from app.live import wire
from app.live.cursors import join_cursor
from app.live.heartbeats import Heartbeats
from app.live.pacing import Pacing
from app.live.presence.service import Presence
from app.live.read.changes import Change
from app.live.read.feeds import Feed, Feeds
from app.live.read.runs import Chunk, Run
from app.live.stats import StreamStats
from app.live.stream.batch import BATCH_BYTES, FIRST_BATCH_BYTES, TopicCursor, encode_batch
from app.live.stream.resume import Reason, common_epoch, find_resume_point
from app.live.topics import Topic
from app.live.viewers import LoginEnded, Viewer

RESET_PENDING_ID = b"lost"  # (4)
MAX_SHARED_BATCHES = 4  # of a topic at one head; guests at further positions get batches of their own

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Takes blocks of a session without waiting, while its generator waits (3)."""

    free: bool  # whether all blocks so far have been sent

    def put(self, block: bytes) -> bool:
        """Send a block; only while the outlet is free. Returns whether it is still free afterwards."""


class State(Enum):
    OPENING = auto()  # the generator finds the seqs at which the stream begins
    CATCHING_UP = auto()  # the generator checks for data, or waits for the database or the outlet
    LIVE = auto()  # everything has been sent, and the generator waits for `wake`
    ENDING = auto()  # the generator sends `retry:` and ends


OPENING, CATCHING_UP, LIVE, ENDING = State  # each delivery needs one, and Enum looks members up slowly


class Session:
    """One stream of `topics` for `viewer`, from `cursors` on (texts from the client; without any, from the heads).

    `authorise` returns the viewer as the database knows it now, or raises LoginEnded; a guest's session has none. With
    `once`, the stream is a long poll: it ends after the first batch, or after one heartbeat interval without any.
    `ended` says how the login of the request has ended: the client is informed that this stream is a guest's. With
    `presence`, the viewer is shown at these topics, and receives the presence of others. `network` is the client's
    network, as limits count it: networks take turns.
    """

    __slots__ = (
        "_account", "_authorise", "_authorised_at", "_cursor_texts", "_ended", "_epoch", "_feeds", "_heartbeat_every",
        "_heartbeat_is_due", "_heartbeats", "_once", "_outlet", "_pacing", "_presence", "_retry", "_stats",
        "_topic_cursors", "_waiting", "network", "state", "topics", "viewer",
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
        authorise: Callable[[], Awaitable[Viewer]] | None = None,
        heartbeat: float = 15,
        once: bool = False,
        ended: LoginEnded | None = None,
        presence: Presence | None = None,
        network: str | None = None,
    ) -> None:
        self.state = OPENING
        self.topics = tuple(dict.fromkeys(topics))
        self.viewer = viewer
        self.network = network
        self._feeds = feeds
        self._pacing = pacing
        self._heartbeats = heartbeats
        self._stats = stats
        self._cursor_texts = cursors
        self._authorise = authorise
        self._heartbeat_every = heartbeat
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
        self._waiting: asyncio.Future[None]  # of the generator, while the session is LIVE

    def wake(self) -> None:
        """There may be something to send (2)."""
        if self.state is LIVE and not self._send_from_memory():
            self._enter(CATCHING_UP)

    def on_heartbeat_due(self) -> None:
        self._heartbeat_is_due = True
        self.wake()

    def end(self) -> None:
        """End the stream soon, with a `retry:` line; the client reconnects with its cursor."""
        self._enter(ENDING)

    def _enter(self, state: State) -> None:
        """Change the state, and let the generator continue if it waits. A session that is ENDING stays so."""
        if self.state is ENDING:
            return
        was, self.state = self.state, state
        if was is LIVE and not self._waiting.done():  # the waiting task may be about to be cancelled
            self._waiting.set_result(None)

    def _end_with_back_off(self) -> None:
        self._retry = wire.RETRY_TROUBLE_MS
        self._enter(ENDING)

    def _send_from_memory(self) -> bool:
        """Send the data that is in memory through the outlet (3). False if the generator has to continue."""
        if self._outlet is None:
            return False
        try:
            blocks, complete = self._collect_from_memory()
        except Exception:
            # The cursor may have passed changes that were not sent. The client reconnects with the cursor it received.
            log.exception("a session could not send; its stream ends, and the client reconnects")
            self._end_with_back_off()
            return False
        return (not blocks or self._outlet.put(blocks)) and complete

    async def stream(self, outlet: Outlet | None = None) -> AsyncGenerator[bytes]:
        """Yield the blocks of this stream, except those sent through `outlet` (3). An empty block asks the consumer to
        wait until the outlet is free. The session is registered with its feeds from the first step to the last.
        """
        self._feeds.enter(self)
        self._outlet = None if self._once else outlet
        try:
            yield await self._open()
            self._enter(CATCHING_UP)
            if self._presence and self.state is not ENDING:
                self._presence.enter(self)
            while self.state is not ENDING:
                if outlet and not outlet.free:
                    yield b""  # read the next data only after that: content may be erased in the meantime
                    continue
                sent, complete = await self._step()
                if sent:
                    yield self._complete_poll(sent) if self._once else sent
                    del sent  # while this waits for its next turn, it would keep 64 KB in memory
                elif complete:
                    await self._wait()
            yield wire.retry(self._retry) + b"\n"
        finally:
            self._feeds.leave(self)
            self._heartbeats.forget(self)
            if self._presence:
                self._presence.leave(self)

    async def _wait(self) -> None:
        if self.state is ENDING:  # since the last step, which may have awaited the database
            return
        self._waiting = asyncio.get_running_loop().create_future()
        self._enter(LIVE)
        try:
            await self._waiting
        finally:
            self._enter(CATCHING_UP)  # it may have been cancelled

    def _complete_poll(self, sent: bytes) -> bytes:
        """The only batch of a long poll: `sent`, and the presence, which does not end a poll by itself (5)."""
        sent += self._presence_news()
        self.end()
        return sent

    # -- opening the stream ---------------------------------------------------------------------------------

    async def _open(self) -> bytes:
        """The first block: a heartbeat, followed by a `reset` of the topics that cannot resume."""
        feeds = [self._feeds[topic] for topic in self.topics]
        self.topics = tuple(feed.topic for feed in feeds)  # objects that all sessions share
        # In random order, so that no topic is always the last.
        self._topic_cursors = [TopicCursor(feed) for feed in random.sample(feeds, len(feeds))]
        self._account = next((feed for feed in feeds if feed.topic.is_account), None)
        # If the head is read for this session alone, the client has nothing yet, and so each object as it was then.
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
        if self._once and reason:
            self.end()
        first = wire.retry(self._retry) + self._heartbeat(RESET_PENDING_ID if reason else self._id())
        if self._ended:
            first += wire.auth(self._ended.reason)
        return first + self._reset(resume_point.reset_topics, reason) if reason else first

    # -- sending --------------------------------------------------------------------------------------------

    async def _step(self) -> tuple[bytes, bool]:
        """(the next data to send, whether that is all there is). If the database is unavailable, the stream ends."""
        try:
            return await self._next()
        except Exception as error:
            if not is_unavailable(error):
                raise
            self._end_with_back_off()
            return b"", False

    async def _next(self) -> tuple[bytes, bool]:
        if sent := await self._recheck_login():
            return sent, False
        sent, complete = self._collect_from_memory()
        if sent or complete or self._account_moved():  # it may have moved again during the check
            return sent, complete
        if any(cursor.feed.epoch != self._epoch for cursor in self._topic_cursors):
            return await self._begin_epoch(), False
        below = next(cursor for cursor in self._topic_cursors if cursor.seq < cursor.feed.backlog.floor)
        return await self._fetch(below), False

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
                sent.append(batch := self._batch_from_memory(cursor, head))
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
        if self._presence is None or self.state is ENDING:
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
            viewer = await self._authorise() if self._authorise else self.viewer
        except LoginEnded as ended:
            if self._presence:
                self._presence.leave(self, at_once=True)
            self.end()
            return wire.auth(ended.reason)
        self._authorised_at = known
        was, self.viewer = self.viewer, viewer
        if self._presence and viewer.username != was.username:
            self._presence.rename(self)
        if viewer.moderator == was.moderator:
            return b""
        self.end()  # (6)
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

    async def _fetch(self, cursor: TopicCursor) -> bytes:
        """The next changes of a topic from the database, because its backlog does not reach back to the cursor."""
        feed = cursor.feed
        async with self._pacing.using_chunk(self.network):
            chunk = await feed.chunk(cursor.seq, self.network)
            cursor.served_at = feed.reads  # see (1) of `app.live.stream.batch`
            await self._pacing.wait_turn(self.network)
            self._stats.conflations += 1
            if feed.backlog.floor > chunk.head or self._account_moved():
                return b""  # the backlog has dropped newer changes meanwhile, or the login may have ended
            return self._send_from_chunk(cursor, chunk)

    def _send_from_chunk(self, cursor: TopicCursor, chunk: Chunk) -> bytes:
        feed = cursor.feed
        is_newest = chunk.head == feed.head
        if cursor.gets_runs and is_newest:
            return self._send_run(cursor, chunk.run(cursor.seq, self.viewer, cursor.caught_up_at))
        cursor.gets_runs = True  # (7)
        changes = [change for change in chunk.changes if change.seq > cursor.seq]
        if not is_newest:  # the feed has read more meanwhile, and one of these changes may erase a change of this chunk
            changes = [change for change in changes if not feed.backlog.supersedes(change)]
        most = BATCH_BYTES if self._once else FIRST_BATCH_BYTES
        return self._send(cursor, self._encode(cursor, changes, chunk.reached, self._others(cursor), most))

    def _send_run(self, cursor: TopicCursor, run: Run) -> bytes:
        cursor.move_to(run.reached)
        self._stats.blocks += run.count
        return run.with_id(self._id())

    def _batch_from_memory(self, cursor: TopicCursor, head: int) -> bytes:
        """The next changes in the backlog. Guests with equal positions share all bytes, even those of the `id:`."""
        feed, others = cursor.feed, self._others(cursor)
        is_guest = self.viewer.user_id is None
        key = (cursor.seq, cursor.caught_up_at, cursor.complete, *others) if is_guest else None
        shared = feed.guest_batches or {}
        batch = shared.get(key)
        if batch is None:
            batch = self._encode(cursor, feed.backlog.after(cursor.seq), head, others, BATCH_BYTES)
            if is_guest and len(shared) < MAX_SHARED_BATCHES:
                feed.guest_batches = {**shared, key: batch}
        return self._send(cursor, batch)

    def _others(self, cursor: TopicCursor) -> list[bytes]:
        return sorted([other.text for other in self._topic_cursors if other is not cursor])

    def _encode(
        self, cursor: TopicCursor, changes: Sequence[Change], reached: int, others: list[bytes], most: int
    ) -> tuple[bytes, int, int]:
        return encode_batch(cursor, changes, reached, self.viewer, self._epoch or "", others, most)

    def _send(self, cursor: TopicCursor, batch: tuple[bytes, int, int]) -> bytes:
        blocks, seq, count = batch
        cursor.move_to(seq)
        self._stats.blocks += count
        return blocks

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
