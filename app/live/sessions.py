"""Sessions: one connected stream each, a cursor per topic and never a queue.

A session yields bytes: what lies between its cursor and the heads of its feeds, each block with an `id:` that says
how far this session has been sent. It does not know where the bytes go.

1. Register with the feeds, then check the login: a login that ends in between has woken us already.
2. Check, then wait, with nothing awaited between: `wake` may come at any moment before the wait and is kept.
3. While a topic is to be reset, the id is one that no parser accepts. Should the connection break before the `reset`
   has arrived, the next one begins with a reset again, instead of going on as if nothing were missing.
4. Presence comes when there is nothing else to send, as a version for each topic and never a queue, too. It does not
   end a long poll, and is sent with what does: who polls would come back at once, again and again.
5. Who moderates from now on, or no longer, may follow other topics than those of this stream: it ends, and which ones
   is judged anew when they come back.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from enum import StrEnum

from app.database import is_unavailable
from app.live import blocks
from app.live.changes import Change
from app.live.cursors import BadCursor, Cursors, write_cursor
from app.live.feeds import Feed, Feeds
from app.live.presence import Presence
from app.live.topics import Topic
from app.live.viewers import LoginEnded, Viewer

BATCH = 65_536  # bytes handed over at once, give or take a frame; what a slow reader can hold of ours
POLL = 5.0  # seconds that a long poll waits for news: a proxy that buffers shows nothing of it before
LOST = b"lost"  # (3)


class Reason(StrEnum):
    """Why a cursor could not be honoured."""

    MALFORMED = "malformed"
    EPOCH = "epoch"  # it is of another history of the database
    AHEAD = "ahead"  # it claims more than the database has
    VIEWER = "viewer"  # what this person may see has changed as a whole


class Session:
    """One stream of `topics` for `viewer`, from `cursors` on (texts as clients sent them; none means the heads).

    `authorise` answers the viewer as the database knows it now; raises LoginEnded. With `once`, the stream ends
    after the first batch, or after a heartbeat's time without any: long polling. `ended` is how the login ended that
    the client came with: it is told that it is a guest here. With `presence`, the viewer
    is seen at these topics, and told who else is.
    """

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
    ) -> None:
        self.topics = tuple(dict.fromkeys(topics))
        self.viewer = viewer
        self._feeds = feeds
        self._cursors = cursors
        self._authorise = authorise
        self._heartbeat_every = min(heartbeat, POLL) if once else heartbeat
        self._heartbeat_due = 0.0
        self._once = once
        self._ended = ended
        self._presence = presence
        self._told: dict[Topic, int] = {}  # versions of presence
        self._retry = blocks.RETRY_POLLING if once else blocks.RETRY
        self._epoch: str | None = None
        self._at: dict[Topic, int] = {}  # the cursor
        self._level: dict[Topic, int] = {}  # where the session last was level with the head
        self._account = next((topic for topic in self.topics if topic.is_account), None)
        self._authorised_at: tuple[str | None, int | None] = (None, None)
        self._woken = asyncio.Event()
        self._turns = deque(self.topics)
        self._turns.rotate(random.randrange(len(self.topics)))  # as a poll serves one, not always the same
        self._ending = False
        self._login_ended = False

    def wake(self) -> None:
        self._woken.set()

    def end(self) -> None:
        """Finish soon, with a farewell; the client comes back with its cursor."""
        self._ending = True
        self.wake()

    async def stream(self) -> AsyncIterator[bytes]:
        """The blocks of this stream. Registered with its feeds from the first step to the last."""
        self._feeds.enter(self)
        try:
            if first := await self._open():
                yield first
            if self._presence and not self._ending:
                self._presence.enter(self)
            while not self._ending:
                self._woken.clear()
                if sent := await self._step():
                    yield sent
                    if self._once:
                        if company := self._company():
                            yield company
                        break
                elif not self._ending:
                    await self._wait()
            yield blocks.retry(self._retry) + b"\n"
        finally:
            self._feeds.leave(self)
            if self._presence:
                self._presence.leave(self, at_once=self._login_ended)

    # -- opening --------------------------------------------------------------------------------------------

    async def _open(self) -> bytes:
        """The first block: a heartbeat, and after it the reset of what cannot be honoured."""
        reason, lost = await self._place()
        if self._epoch is None:
            self._give_up()
            return b""
        self._ending = self._ending or (self._once and reason is not None)
        first = blocks.retry(self._retry) + self._heartbeat(LOST if reason else self._cursor())
        if self._ended:
            first += blocks.auth(self._ended.reason)
        return first + self._reset(lost, reason) if reason else first

    async def _place(self) -> tuple[Reason | None, list[Topic]]:
        """Set the cursor; answers why and for which topics the client's own cannot be honoured."""
        cursors, malformed = self._parse()
        feeds = [self._feeds[topic] for topic in self.topics]
        # Another process may be further, or know of another history: look before judging.
        unsure = [
            feed
            for feed in feeds
            if feed.head is None or not cursors.are_of(feed.epoch) or cursors.are_ahead(feed.topic, feed.head)
        ]
        if not all(await asyncio.gather(*(feed.freshen() for feed in unsure))):
            return None, []
        self._epoch = await self._common_epoch()
        heads = {topic: self._feeds[topic].head or 0 for topic in self.topics}
        for topic, head in heads.items():
            start = cursors.start(topic)
            self._put(topic, head if start is None else min(start, head))
        if malformed:
            return Reason.MALFORMED, list(self.topics)
        if not cursors.are_of(self._epoch):
            return Reason.EPOCH, list(self.topics)
        ahead = [topic for topic, head in heads.items() if cursors.are_ahead(topic, head)]
        return (Reason.AHEAD, ahead) if ahead else (None, [])

    def _parse(self) -> tuple[Cursors, bool]:
        try:
            return Cursors(self._cursors), False
        except BadCursor:
            return Cursors(()), True

    async def _common_epoch(self) -> str | None:
        """The epoch that all our feeds agree on; None when, after one look, they do not."""
        epochs = {self._feeds[topic].epoch for topic in self.topics}
        if len(epochs) > 1:
            await asyncio.gather(*(self._feeds[topic].freshen() for topic in self.topics))
            epochs = {self._feeds[topic].epoch for topic in self.topics}
        return epochs.pop() if len(epochs) == 1 else None

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
        if asyncio.get_running_loop().time() >= self._heartbeat_due:
            return self._heartbeat(self._cursor())
        for _ in self.topics:
            topic = self._turns[0]
            self._turns.rotate(-1)  # a busy topic is not served twice before the others
            feed = self._feeds[topic]
            if feed.epoch != self._epoch:
                return await self._turn()
            if self._at[topic] < (feed.head or 0):
                return await self._batch(topic, feed)
        return b"" if self._once else self._company()  # (4)

    def _company(self) -> bytes:
        """Who is at these topics, as far as it is new to this session."""
        if self._presence is None or self._ending:
            return b""
        sent = []
        for topic in self.topics:
            if news := self._presence.news(self, topic, self._told.get(topic, 0)):
                self._told[topic], block = news
                sent.append(block)
        return b"".join(sent)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._heartbeat_due):
                await self._woken.wait()

    async def _recheck(self) -> bytes:
        """Look at the login again whenever its account's topic has moved, and before anything else is sent."""
        if not self._account_moved():
            return b""
        known = self._account_head()
        try:
            viewer = await self._authorise()
        except LoginEnded as ended:
            self._ending = self._login_ended = True
            return blocks.auth(ended.reason)
        self._authorised_at = known
        was, self.viewer = self.viewer, viewer
        if self._presence and viewer.username != was.username:
            self._presence.renew(self)
        if viewer.moderator == was.moderator:
            return b""
        self._ending = True  # (5)
        return self._reset(self.topics, Reason.VIEWER)

    def _account_moved(self) -> bool:
        return self._account is not None and self._account_head() != self._authorised_at

    def _account_head(self) -> tuple[str | None, int | None]:
        feed = self._feeds[self._account] if self._account else None
        return (feed.epoch, feed.head) if feed else (None, None)

    async def _turn(self) -> bytes:
        """The database has a new epoch: nothing the client has is sure."""
        self._epoch = await self._common_epoch()
        if self._epoch is None:
            self._give_up()
            return b""
        return self._reset(self.topics, Reason.EPOCH)

    def _give_up(self) -> None:
        self._ending, self._retry = True, blocks.RETRY_TROUBLE

    async def _batch(self, topic: Topic, feed: Feed) -> bytes:
        """The next changes of one topic, from the ring or, below it, from the database."""
        at, ring, head = self._at[topic], feed.ring, feed.head or 0
        if at >= ring.floor:
            changes, reached = ring.after(at), head
        else:
            chunk = await feed.chunk(at)
            self._feeds.counts.conflations += 1
            if feed.ring.floor > head or self._account_moved():
                return b""  # more was heard meanwhile than the ring can tell of, or the login may have ended
            reached = chunk.reached
            # What the feed has heard meanwhile comes from the ring, and may be an erasure of this.
            changes = [change for change in chunk.changes if change.seq > at and not feed.ring.supersedes(change)]
        sent, size, told = [], 0, True
        for change in changes:
            if size > BATCH:
                break
            sent.append(block := self._block(topic, change))
            size += len(block)
            told = bool(block)
        else:
            told = told and self._at[topic] == reached
            self._at[topic] = reached
        if self._at[topic] >= head:
            self._level[topic] = head
        self._feeds.counts.blocks += len(sent)
        if not told:
            sent.append(blocks.position(self._cursor()))
        return b"".join(sent)

    def _block(self, topic: Topic, change: Change) -> bytes:
        """One change for this viewer; empty for what it is never sent."""
        self._at[topic] = change.seq
        frame = change.frames[self.viewer.kind(change.author_id)]
        if frame is None:
            return b""
        verb = "destroy"
        if frame.shows:
            verb = "create" if change.created_seq > self._level[topic] else "update"
        return blocks.change(self._cursor(), change.live.event_lines[verb], frame.data)

    def _heartbeat(self, id: bytes) -> bytes:
        self._heartbeat_due = asyncio.get_running_loop().time() + self._heartbeat_every
        heads = {topic: self._feeds[topic].head or 0 for topic in self.topics}
        return blocks.heartbeat(id, write_cursor(self._epoch or "", heads).encode())

    def _reset(self, topics: Sequence[Topic], reason: Reason) -> bytes:
        """Tell the client to fetch these topics anew, and go on from the heads."""
        self._feeds.counts.resets[reason] += 1
        for topic in topics:
            self._put(topic, self._feeds[topic].head or 0)
        return blocks.reset(self._cursor(), topics, reason)

    def _put(self, topic: Topic, seq: int) -> None:
        self._at[topic] = self._level[topic] = seq

    def _cursor(self) -> bytes:
        return write_cursor(self._epoch or "", self._at).encode()
