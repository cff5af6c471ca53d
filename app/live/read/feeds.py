"""Feeds: a process's view of the topics that its sessions watch.

A hint, a sweep or a resync requests a read. The feed then reads its topic once, however many sessions watch it. It
encodes each change once for each kind of viewer, keeps the newest in a backlog, moves its head and wakes its sessions.

1. The request for a read is a flag (`dirty`), not a queue. The feed clears it before the read begins. So a request that
   arrives during the read causes one more read, and so do a hundred requests.
2. A failed read leaves the flag set; the next sweep tries again.
3. A feed exists while a session watches it. Without sessions there is nothing to keep, as the database has everything.
4. A feed without a head does not read. A session that has just opened it reads the heads of all its topics in one
   statement (`Feeds.refresh`), and the feed takes its own head from that.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.database import log_error
from app.live.cursors import write_position
from app.live.fair_queue import FairQueue
from app.live.hints import Hint
from app.live.pacing import MAX_WAITING, wake_all
from app.live.read.backlog import Backlog
from app.live.read.chunks import Chunks
from app.live.read.reader import News, Reader
from app.live.read.runs import Chunk
from app.live.stats import PendingSeqs
from app.live.tasks import Tasks
from app.live.topics import Topic
from app.live.watchers import Watcher

TOPICS_PER_STATEMENT = 500  # heads that a sweep reads in one statement
FALLBACK_SWEEP_SECONDS = 1.0  # between two sweeps while no hints arrive
MAX_CONCURRENT_HEAD_READS = 2  # by opening sessions; sessions that catch up take longer, and have other slots

log = logging.getLogger(__name__)


class Feed:
    """One topic: its epoch and head (None until they are read), its backlog, and the sessions that watch it.

    One session may have a hundred feeds. So an idle feed is small: its parts are created when they are first needed.
    """

    __slots__ = (
        "_bounds", "_chunks", "_hinted_seq", "_pending_seqs", "_reader", "_reading", "_refreshes", "_tasks",
        "backlog", "dirty", "epoch", "guest_batches", "head", "key", "reads", "settled_read", "text", "topic",
        "watchers",
    )  # fmt: skip

    def __init__(self, topic: Topic, reader: Reader, chunks: Chunks, tasks: Tasks, bounds: tuple[int, int]) -> None:
        """`bounds` are the limits of the backlog, in changes and in bytes."""
        self.topic = topic
        self.key = topic.key.encode()  # in cursors
        self.text = write_position(self.key, 0)  # the head's position, as in cursors
        self.epoch: str | None = None
        self.head: int | None = None
        self.backlog = Backlog(0, *bounds)
        # A dict keeps the order of arrival, which is about that of the memory: iterating over ten thousand is faster.
        self.watchers: dict[Watcher, None] = {}
        self.guest_batches: dict[Any, Any] | None = None  # at this head; see `Session._batch_from_memory`
        self.dirty = False
        self._reader = reader
        self._chunks = chunks
        self._tasks = tasks
        self._bounds = bounds
        self._hinted_seq = 0  # the greatest seq in a hint since the last read was requested
        self._pending_seqs: PendingSeqs | None = None
        self.reads = 0  # number of reads begun, one after the other
        self.settled_read = 0  # the number of the read that the head is from, if that was settled (`Changes.settled`)
        self._reading: asyncio.Task[None] | None = None
        self._refreshes: list[asyncio.Future[bool]] | None = None  # calls of `refresh` that wait for the next read

    def hint(self, seq: int) -> None:
        """Read the topic soon, unless it knows the change at `seq`, or the current read began after a hint of it.

        A process often reads already when a hint arrives, and may receive the hint of its own write twice, directly and
        from Redis.
        """
        if seq > max(self._hinted_seq, self.head or 0):
            self._hinted_seq = seq
            self._pending_seqs = self._pending_seqs or PendingSeqs(self._reader.stats.lags)
            self._pending_seqs.add(seq)
            self.request_read()

    def request_read(self) -> None:
        """Read the topic soon. A feed without a head waits for the opening session that reads it (4)."""
        self.dirty = True
        if self._reading is None and self.head is not None:
            self._reading = self._tasks.start(self._read_while_dirty())

    async def refresh(self) -> bool:
        """Wait for a read that begins after this call. False if it failed: head and epoch are then unchanged."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._refreshes = [*(self._refreshes or ()), done]
        self.request_read()
        return await done

    def set_first_head(self, epoch: str, head: int) -> bool:
        """Set epoch and head from a read of the counters alone (4). False if the feed already has different ones."""
        if self.head is None:
            self._apply(News(epoch, head, None))
            if self.dirty:
                self.request_read()
            else:
                self._forget_hints()
        return (epoch, head) == (self.epoch, self.head)

    async def chunk(self, after: int, network: str | None = None) -> Chunk:
        """Changes above `after`, for a session of `network` whose cursor is below the backlog."""
        return await self._chunks.at(self.topic, after, self.head or 0, network)

    async def _read_while_dirty(self) -> None:
        """Read until no read is requested (1). One task per feed, so that reads never overtake each other."""
        try:
            while self.dirty:
                self.dirty = False
                refreshes, self._refreshes = self._refreshes, None
                try:
                    news = await self._read()
                except BaseException:
                    _finish(refreshes, False)
                    raise
                moved = news is not None and self._apply(news)
                _finish(refreshes, news is not None)
                if moved:
                    await wake_all(self.watchers)
                if not self.dirty:
                    self._forget_hints()
        except Exception as error:
            self.dirty = True  # (2)
            self._reader.stats.failures += 1
            log_error(log, error, f"reading {self.topic}")
        finally:
            self._reading = None
            refreshes, self._refreshes = self._refreshes, None
            _finish(refreshes, False)

    async def _read(self) -> News | None:
        """Read the topic. None if no session watches it any more when a slot for the read is free."""
        self.reads += 1
        return await self._reader.news(
            self.topic, self.epoch, self.head, most=self._bounds[0], wanted=lambda: bool(self.watchers)
        )

    def _forget_hints(self) -> None:
        """Forget hints after the read that they requested, because a hint may name a seq that does not exist."""
        self._hinted_seq = 0
        self._pending_seqs = None

    def _apply(self, news: News) -> bool:
        """Take over the result of a read. False if it is what the feed already had."""
        self.settled_read = self.reads if news.settled else 0
        if self._pending_seqs:
            self._pending_seqs.reach(news.head)
        if (news.epoch, news.head) == (self.epoch, self.head):
            return False
        if news.changes is None:
            self.backlog = Backlog(news.head, *self._bounds)
        else:
            self.backlog.extend(news.changes)
        self._chunks.forget(self.topic)  # one of these changes may have erased content that a chunk holds
        self.guest_batches = None
        self.epoch, self.head = news.epoch, news.head
        self.text = write_position(self.key, news.head)
        return True


class Feeds:
    """The open feeds of this process, by topic."""

    def __init__(self, reader: Reader, *, ring_frames: int = 256, ring_bytes: int = 262_144) -> None:
        self._openings = FairQueue(MAX_CONCURRENT_HEAD_READS, MAX_WAITING, MAX_WAITING)
        self._reader = reader
        self._bounds = (ring_frames, ring_bytes)
        self._feeds: dict[Topic, Feed] = {}
        self._tasks = Tasks()
        self._chunks = Chunks(reader, self._tasks)

    def __getitem__(self, topic: Topic) -> Feed:
        return self._feeds[topic]

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._feeds.values())

    def __len__(self) -> int:
        return len(self._feeds)

    def enter(self, watcher: Watcher) -> None:
        """Register a session with the feeds of its topics, and open those that do not exist."""
        for topic in watcher.topics:
            if topic not in self._feeds:
                self._feeds[topic] = self.open(topic)
            self._feeds[topic].watchers[watcher] = None

    def open(self, topic: Topic) -> Feed:
        return Feed(topic, self._reader, self._chunks, self._tasks, self._bounds)

    async def refresh(self, unknown: Callable[[], Sequence[Feed]], network: str | None = None) -> bool:
        """Read the heads of the feeds that `unknown` returns when a slot is free. False if a read failed.

        One statement reads all of them, and only a feed whose head has moved is read by itself. Networks get the slots
        in turns, and a session that is cancelled while it waits reads nothing. Raises QueueFull.
        """
        await self._openings.acquire(network)
        reading = self._tasks.start(
            self._read_heads(unknown())
        )  # a separate task: a cancelled query costs a connection
        reading.add_done_callback(lambda _: self._openings.release())
        moved = await asyncio.shield(reading)
        return moved is not None and all(await asyncio.gather(*(feed.refresh() for feed in moved)))

    async def _read_heads(self, feeds: Sequence[Feed]) -> list[Feed] | None:
        """Read these heads. Returns the feeds whose head has moved, for a read of their own; None if it failed."""
        if not feeds:
            return []
        for feed in feeds:
            feed.dirty = feed.dirty and feed.head is not None  # (1)
        try:
            epoch, heads = await self._reader.heads([feed.topic for feed in feeds])
        except Exception as error:
            self._reader.stats.failures += 1
            log_error(log, error, f"reading the heads of {len(feeds)} topics")
            return None
        return [feed for feed in feeds if not feed.set_first_head(epoch, heads[feed.topic])]

    def leave(self, watcher: Watcher) -> None:
        """Remove a session. Synchronous, because every await would be cancelled while the stream is cancelled."""
        for topic in watcher.topics:
            feed = self._feeds[topic]
            feed.watchers.pop(watcher, None)
            if not feed.watchers:
                del self._feeds[topic]  # (3)
                self._chunks.forget(topic)

    def hint(self, hint: Hint) -> None:
        """Take a hint. It costs nothing if its topic has no feed here, or if the feed knows its seq."""
        feed = self._feeds.get(hint.topic)
        if feed is not None:
            feed.hint(hint.seq)

    def resync(self) -> None:
        """Read all topics, because hints may have been lost."""
        for feed in self._feeds.values():
            feed.request_read()

    async def sweep(self) -> None:
        """Compare the heads of the open feeds with the database, and read the topics that differ."""
        self._reader.stats.sweeps += 1
        self._chunks.forget_unwanted()
        feeds = list(self._feeds.values())
        for at in range(0, len(feeds), TOPICS_PER_STATEMENT):
            part = feeds[at : at + TOPICS_PER_STATEMENT]
            epoch, heads = await self._reader.heads([feed.topic for feed in part])
            for feed in part:
                if feed.dirty or (epoch, heads[feed.topic]) != (feed.epoch, feed.head):
                    self._reader.stats.finds += not feed.dirty and feed.head is not None
                    feed.request_read()  # also without a head: the read of its first head may have begun earlier

    async def keep_sweeping(self, seconds: float, hints_flow: Callable[[], bool]) -> None:
        """Sweep forever: every `seconds`, plus or minus a fifth, and every second while hints do not flow."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + seconds * random.uniform(0.8, 1.2)
            while (left := due - loop.time()) > 0:
                await asyncio.sleep(min(left, FALLBACK_SWEEP_SECONDS * random.uniform(0.8, 1.0)))
                if not hints_flow():
                    break
            try:
                await self.sweep()
            except Exception as error:
                log_error(log, error, "sweeping")

    async def close(self) -> None:
        await self._tasks.cancel()


def _finish(refreshes: Sequence[asyncio.Future[bool]] | None, succeeded: bool) -> None:
    for refresh in refreshes or ():
        if not refresh.done():
            refresh.set_result(succeeded)
