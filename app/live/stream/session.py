"""Sessions: one connected stream each, a cursor per topic and never a queue.

A session gives bytes: what lies between its cursor and the heads of its feeds, each block with an `id:` that says how
far this session has been sent. It does not know where the bytes go.

1. Register with the feeds, then check the login: a login that ends in between has woken us already.
2. Check, then wait, with nothing awaited between: `wake` may come at any moment before the wait and is kept.
3. Who waits, and is woken by what can be sent without asking the database, is sent it there and then, through an
   outlet, by whoever wakes. To wake a task for it would cost as much again. What cannot is left to the generator, and
   so is all that comes while the outlet has not let go of what it was given.
4. While a topic is to be reset, the id is one that no parser accepts. Should the connection break before the `reset`
   has arrived, the next one begins with a reset again, instead of going on as if nothing were missing.
5. Presence comes when there is nothing else to send, as a version for each topic and never a queue, too. It does not
   end a long poll, and is sent with what does: who polls would come back at once, again and again.
6. Who moderates from now on, or no longer, may follow other topics than those of this stream: it ends, and which ones
   is judged anew when they come back.
7. If a client has an object, the session sends only what has changed of it (`LiveModel.partial`). The cursor does not
   tell whether the client has it: if an object changed again before it was read, it is left out up to its newest seq.
   So each topic has a seq `complete`: the client has every object as it was at that seq, or later. It moves to the head
   when the session has sent all up to the head, and the head is from a settled read. That read must have begun after
   the session began, and after it was last served from the database. Until then objects are sent whole.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from app.database import is_unavailable
from app.live import wire
from app.live.presence.service import Presence
from app.live.read.changes import Change
from app.live.read.feeds import Feed, Feeds
from app.live.stream.resume import Reason, common_epoch, find_resume_point
from app.live.topics import Topic
from app.live.viewers import LoginEnded, Viewer

BATCH_BYTES = 65_536  # bytes handed over at once, give or take a frame; what a slow reader can hold of ours
LONG_POLL_SECONDS = 5.0  # seconds that a long poll waits for news: a proxy that buffers shows nothing of it before
RESET_PENDING_ID = b"lost"  # (4)

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Where a session may put blocks without waiting, while its generator waits (3)."""

    free: bool  # whether all that it was given has left

    def put(self, block: bytes) -> bool:
        """Whether it is free after that, too. Only while it is free."""


class TopicCursor:
    """A session's cursor in one topic."""

    __slots__ = ("at", "complete", "feed", "level", "served_at", "text", "told")

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.told = 0  # the version of presence
        self.put(0)

    def put(self, seq: int) -> None:
        """Everything up to here has been sent, and is level with the head."""
        self.move(seq)
        self.level = seq  # where the session last was level with the head
        self.complete = -1  # (7)
        self.served_at = self.feed.reads

    def reach(self, head: int) -> None:
        """Note that everything up to the head has been sent."""
        self.level = head
        if self.feed.settled_read > self.served_at:
            self.complete = head  # (7)

    def move(self, seq: int) -> None:
        feed = self.feed
        self.at = seq
        self.text = feed.text if seq == feed.head else b"%b.%d" % (feed.key, seq)


class Session:
    """One stream of `topics` for `viewer`, from `cursors` on (texts as clients sent them; none means the heads).

    `authorise` answers the viewer as the database knows it now; raises LoginEnded. With `once`, the stream ends
    after the first batch, or after a heartbeat's time without any: long polling. `ended` is how the login ended that
    the client came with: it is told that it is a guest here. With `presence`, the viewer is seen at these topics, and
    told who else is. `network` is the client's network, as limits count it: networks are served in turns.
    """

    __slots__ = (
        "_account", "_authorise", "_authorised_at", "_cursors", "_ended", "_ending", "_epoch", "_feeds",
        "_heartbeat_every", "_heartbeat_is_due", "_login_ended", "_once", "_outlet", "_presence", "_retry", "_topic_cursors",
        "_waiting", "_woken", "network", "topics", "viewer",
    )  # fmt: skip

    def __init__(
        self,
        feeds: Feeds,
        topics: Iterable[Topic],
        viewer: Viewer,
        cursors: Sequence[str] = (),
        *,
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
        self._cursors = cursors
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
        elif not self._put_at_hand():
            self._woken = True
            if not self._waiting.done():  # whoever waits may be about to be cancelled
                self._waiting.set_result(None)
            self._waiting = None

    def on_heartbeat_due(self) -> None:
        """A heartbeat is due."""
        self._heartbeat_is_due = True
        self.wake()

    def _put_at_hand(self) -> bool:
        """Put what there is to send (3); False where the generator has to go on."""
        outlet = self._outlet
        if outlet is None or self._ending or self._once:
            return False
        try:
            block, complete = self._at_hand()
        except Exception:
            # The cursor may have moved past what was not sent. Whoever reads comes back with what has arrived.
            log.exception("sending to a session")
            self._give_up()
            return False
        return (not block or outlet.put(block)) and complete

    def end(self) -> None:
        """Finish soon, with a farewell; the client comes back with its cursor."""
        self._ending = True
        self.wake()

    async def stream(self, outlet: Outlet | None = None) -> AsyncIterator[bytes]:
        """The blocks of this stream, but for those that went through `outlet` (3); an empty one asks whoever reads to
        wait until that is free. Registered with its feeds from the first step to the last.
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
                    yield b""  # and only then is read what to send next: it may have been erased by then
                elif sent := await self._step():
                    if self._once:
                        sent += self._company()
                        self._ending = True
                    yield sent
                elif not self._ending:
                    await self._wait()
            yield wire.retry(self._retry) + b"\n"
        finally:
            self._feeds.leave(self)
            if self._presence:
                self._presence.leave(self, at_once=self._login_ended)

    async def _wait(self) -> None:
        if not self._woken:  # (2)
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    # -- opening --------------------------------------------------------------------------------------------

    async def _open(self) -> bytes:
        """The first block: a heartbeat, and after it the reset of what cannot be honoured."""
        feeds = [self._feeds[topic] for topic in self.topics]
        self._topic_cursors = [
            TopicCursor(feed) for feed in random.sample(feeds, len(feeds))
        ]  # no topic is always the last
        self._account = next((feed for feed in feeds if feed.topic.is_account), None)
        # (7): the head is read for this session alone, and the client has nothing yet.
        alone = {feed.topic for feed in feeds if feed.head is None and len(feed.watchers) == 1}
        begins = not self._cursors
        opening = await find_resume_point(self._feeds, feeds, self._cursors, self.network)
        await self._feeds.pacing.wait_turn(self.network)
        self._cursors = ()
        if opening.epoch is None:
            self._give_up()
            return b""
        self._epoch = opening.epoch
        for place in self._topic_cursors:
            place.put(opening.starts[place.feed.topic])
            if begins or (place.feed.topic in alone and place.at == place.feed.head):
                place.complete = place.at
        self._ending = self._ending or (self._once and opening.reason is not None)
        first = wire.retry(self._retry) + self._heartbeat(RESET_PENDING_ID if opening.reason else self._cursor())
        if self._ended:
            first += wire.auth(self._ended.reason)
        return first + self._reset(opening.lost, opening.reason) if opening.reason else first

    # -- going on -------------------------------------------------------------------------------------------

    async def _step(self) -> bytes:
        """What there is to send now, nothing when there is nothing; trouble with the database ends the stream."""
        try:
            return await self._next()
        except Exception as error:
            if not is_unavailable(error):
                raise
            self._give_up()
            return b""

    async def _next(self) -> bytes:
        if sent := await self._recheck():
            return sent
        sent, complete = self._at_hand()
        if sent or complete:
            return sent
        if self._account_moved():
            return b""  # again, meanwhile
        if any(place.feed.epoch != self._epoch for place in self._topic_cursors):
            return await self._begin_epoch()
        return await self._fetch(next(place for place in self._topic_cursors if place.at < place.feed.backlog.floor))

    def _at_hand(self) -> tuple[bytes, bool]:
        """What there is to send and needs nobody to be asked, and whether that is all there is."""
        if self._account and self._account_moved():
            return b"", False
        sent, size = [], 0
        if self._heartbeat_is_due:
            sent.append(self._heartbeat(self._cursor()))
        for turn, place in enumerate(self._topic_cursors, 1):
            feed, head = place.feed, place.feed.head or 0
            if feed.epoch != self._epoch or place.at < feed.backlog.floor:
                return b"".join(sent), False
            if place.at < head:
                sent.append(batch := self._batch(place, feed.backlog.after(place.at), head))
                size += len(batch)
                if size > BATCH_BYTES:
                    self._topic_cursors = (
                        self._topic_cursors[turn:] + self._topic_cursors[:turn]
                    )  # a busy topic lets the others go first
                    return b"".join(sent), False
        if self._presence and not self._once:
            sent.append(self._company())  # (5)
        return b"".join(sent), True

    def _company(self) -> bytes:
        """Who is at these topics, as far as it is new to this session."""
        if self._presence is None or self._ending:
            return b""
        sent = []
        for place in self._topic_cursors:
            if news := self._presence.news(self, place.feed.topic, place.told):
                place.told, block = news
                sent.append(block)
        return b"".join(sent)

    async def _recheck(self) -> bytes:
        """Look at the login again whenever its account's topic has moved, and before anything else is sent."""
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
            self._presence.renew(self)
        if viewer.moderator == was.moderator:
            return b""
        self._ending = True  # (6)
        return self._reset(self.topics, Reason.VIEWER)

    def _account_moved(self) -> bool:
        return self._account is not None and self._account_head() != self._authorised_at

    def _account_head(self) -> tuple[str | None, int | None]:
        return (self._account.epoch, self._account.head) if self._account else (None, None)

    async def _begin_epoch(self) -> bytes:
        """The database has a new epoch: nothing the client has is sure."""
        self._epoch = await common_epoch(self._feeds, [place.feed for place in self._topic_cursors], self.network)
        if self._epoch is None:
            self._give_up()
            return b""
        return self._reset(self.topics, Reason.EPOCH)

    def _give_up(self) -> None:
        self._ending, self._retry = True, wire.RETRY_TROUBLE_MS

    async def _fetch(self, place: TopicCursor) -> bytes:
        """The next changes of a topic of which the ring does not know all, from the database."""
        feed, head = place.feed, place.feed.head or 0
        chunk = await feed.chunk(place.at, self.network)
        place.served_at = feed.reads  # (7)
        await self._feeds.pacing.wait_turn(self.network)
        self._feeds.stats.conflations += 1
        if feed.backlog.floor > head or self._account_moved():
            return b""  # more was heard meanwhile than the ring can tell of, or the login may have ended
        # What the feed has heard meanwhile comes from the ring, and may be an erasure of this.
        changes = [change for change in chunk.changes if change.seq > place.at and not feed.backlog.supersedes(change)]
        return self._batch(place, changes, chunk.reached)

    def _batch(self, place: TopicCursor, changes: Sequence[Change], reached: int) -> bytes:
        """Blocks of these changes, which are all up to `reached`, or of so many that they are enough at once."""
        head = place.feed.head or 0
        sent, size, told = [], 0, True
        for change in changes:
            if size > BATCH_BYTES:
                break
            sent.append(block := self._block(place, change))
            size += len(block)
            told = bool(block)
        else:
            told = told and place.at == reached
            if place.at != reached:
                place.move(reached)
        if place.at >= head:
            place.reach(head)
        self._feeds.stats.blocks += len(sent)
        if not told:
            sent.append(wire.position(self._cursor()))
        return b"".join(sent)

    def _block(self, place: TopicCursor, change: Change) -> bytes:
        """One change for this viewer; empty for what it is never sent."""
        place.move(change.seq)
        frame = change.frame_for(self.viewer.kind(change.author_id), place.complete)
        if frame is None:
            return b""
        verb = "destroy"
        if frame.shows:
            verb = "create" if change.created_seq > place.level else "update"
        return wire.change(self._cursor(), change.live.event_lines[verb], frame.data)

    def _heartbeat(self, id: bytes) -> bytes:
        self._heartbeat_is_due = False
        self._feeds.heartbeats.set(self, self._heartbeat_every)
        return wire.heartbeat(id, self._written([place.feed.text for place in self._topic_cursors]))

    def _reset(self, topics: Sequence[Topic], reason: Reason) -> bytes:
        """Tell the client to fetch these topics anew, and go on from the heads."""
        self._feeds.stats.resets[reason] += 1
        for place in self._topic_cursors:
            if place.feed.topic in topics:
                place.put(place.feed.head or 0)
        return wire.reset(self._cursor(), topics, reason)

    def _cursor(self) -> bytes:
        return self._written([place.text for place in self._topic_cursors])

    def _written(self, positions: list[bytes]) -> bytes:
        """As `write_cursor` would, of positions that are written already."""
        positions.sort()
        return b"~".join([(self._epoch or "").encode(), *positions])
