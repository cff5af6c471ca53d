"""Feeds: a process's view of the topics that somebody here is watching.

A hint, a sweep or a doubt says "look": the feed then reads its topic once, whatever the number of sessions, encodes
each change once for each kind of viewer, keeps the newest in a ring, moves its head and wakes its sessions.

1. A wish to look is a flag, not a queue. It is lowered before the read begins, so one that arrives during the read
   is honoured by another read, and a hundred by one.
2. A failed read leaves the flag up; the next sweep tries again.
3. A feed exists while somebody watches it. There is nothing to keep for nobody: the database has it all.
4. A feed without a head does not read. A session that has just opened it reads the heads of all its topics in one
   statement (`Feeds.refresh`), and the feed takes its own head from that.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from app.database import complain
from app.live.fair_queue import FairQueue
from app.live.gids import BadGid, Gid
from app.live.heartbeats import HeartbeatListener, Heartbeats
from app.live.pacing import MAX_WAITING, Pacing, wake_all
from app.live.read.backlog import Backlog
from app.live.read.chunks import Chunks
from app.live.read.reader import Chunk, News, Reader
from app.live.stats import PendingSeqs
from app.live.tasks import Tasks
from app.live.topics import BadTopic, Topic

TOPICS_PER_STATEMENT = 500  # whose heads a sweep compares in one statement
FALLBACK_SWEEP_SECONDS = 1.0  # seconds
MAX_CONCURRENT_HEAD_READS = 2  # sessions that read heads; catching up takes longer, and has slots of its own

log = logging.getLogger(__name__)


class Watcher(HeartbeatListener, Protocol):
    """What a feed knows of a session."""

    @property
    def topics(self) -> Sequence[Topic]: ...

    def wake(self) -> None: ...


class Feed:
    """One topic: epoch and head (None until first read), ring, and the sessions that watch it.

    One session may have a hundred feeds. So an idle feed stays small: its parts are made when they are first needed.
    """

    __slots__ = (
        "_awaited", "_bounds", "_chunks", "_looking", "_pending_seqs", "_reader", "_tasks", "_told",
        "backlog", "dirty", "epoch", "head", "key", "reads", "settled_read", "text", "topic", "watchers",
    )  # fmt: skip

    def __init__(self, topic: Topic, reader: Reader, tasks: Tasks, bounds: tuple[int, int]) -> None:
        """`bounds` are the ring's, in changes and in bytes."""
        self.topic = topic
        self.key = topic.key.encode()  # in cursors
        self.text = b"%b.0" % self.key  # the head, as cursors have it
        self.epoch: str | None = None
        self.head: int | None = None
        self.backlog = Backlog(0, *bounds)
        # In the order in which they came, which is that of their memory: to go through ten thousand is quicker so.
        self.watchers: dict[Watcher, None] = {}
        self.dirty = False
        self._reader = reader
        self._tasks = tasks
        self._bounds = bounds
        self._told = 0  # the greatest seq that a hint has spoken of since the last read was asked for
        self._pending_seqs: PendingSeqs | None = None
        self.reads = 0  # number of reads begun, one after the other
        self.settled_read = 0  # the number of the read that the head is from, if that was settled (`Changes.settled`)
        self._looking: asyncio.Task[None] | None = None
        self._awaited: list[asyncio.Future[bool]] | None = None
        self._chunks: Chunks | None = None

    def hint(self, seq: int) -> None:
        """Read the topic soon, unless what is at `seq` is known, or the read under way began after it was told.

        Each process hears of its own writes twice, from itself and from Redis, and often reads already.
        """
        if seq > max(self._told, self.head or 0):
            self._told = seq
            self._pending_seqs = self._pending_seqs or PendingSeqs(self._reader.stats.lags)
            self._pending_seqs.add(seq)
            self.request_read()

    def request_read(self) -> None:
        """Read the topic soon. Before there is a head, an opening is about to read it (4)."""
        self.dirty = True
        if self._looking is None and self.head is not None:
            self._looking = self._tasks.start(self._keep_looking())

    async def refresh(self) -> bool:
        """Whether a read that began after this call succeeded. When it failed, head and epoch are as before."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._awaited = [*(self._awaited or ()), done]
        self.request_read()
        return await done

    def learn(self, epoch: str, head: int) -> bool:
        """Take epoch and head from a read of the counters alone (4). False if the feed already has other ones."""
        if self.head is None:
            self._hear(News(epoch, head, None))
            if self.dirty:
                self.request_read()
            else:
                self._forget_hints()
        return (epoch, head) == (self.epoch, self.head)

    async def chunk(self, after: int, network: str | None = None) -> Chunk:
        """Changes above `after`, for a session of `network` that is below the ring."""
        self._chunks = self._chunks or Chunks(self.topic, self._reader, self._tasks)
        return await self._chunks.at(after, self.head or 0, network)

    def forget_chunks(self) -> None:
        """Drop chunks that no session has wanted since the last call."""
        if self._chunks:
            self._chunks.forget_unwanted()

    async def _keep_looking(self) -> None:
        """Read while there is a wish to (1). One task a feed, so that reads never overtake each other."""
        try:
            while self.dirty:
                self.dirty = False
                awaited, self._awaited = self._awaited, None
                try:
                    news = await self._read()
                except BaseException:
                    _release(awaited, False)
                    raise
                moved = news is not None and self._hear(news)
                _release(awaited, news is not None)
                if moved:
                    await wake_all(self.watchers)
                if not self.dirty:
                    self._forget_hints()
        except Exception as error:
            self.dirty = True  # (2)
            self._reader.stats.failures += 1
            complain(log, error, f"reading {self.topic}")
        finally:
            self._looking = None
            awaited, self._awaited = self._awaited, None
            _release(awaited, False)

    async def _read(self) -> News | None:
        """None if no session watches any more when there is a slot for the read."""
        self.reads += 1
        return await self._reader.news(
            self.topic, self.epoch, self.head, most=self._bounds[0], wanted=lambda: bool(self.watchers)
        )

    def _forget_hints(self) -> None:
        """A hint may name a seq that does not exist. After the read that it asked for, it must not count any more."""
        self._told = 0
        self._pending_seqs = None

    def _hear(self, news: News) -> bool:
        """Whether there is news in it."""
        self.settled_read = self.reads if news.settled else 0
        if self._pending_seqs:
            self._pending_seqs.reach(news.head)
        if (news.epoch, news.head) == (self.epoch, self.head):
            return False
        if news.changes is None:
            self.backlog = Backlog(news.head, *self._bounds)
        else:
            self.backlog.extend(news.changes)
        self._chunks = None  # one of these changes may have erased what they hold
        self.epoch, self.head = news.epoch, news.head
        self.text = b"%b.%d" % (self.key, news.head)
        return True


class Feeds:
    """The open feeds of this process, by topic."""

    def __init__(self, reader: Reader, *, ring_frames: int = 256, ring_bytes: int = 262_144) -> None:
        self.stats = reader.stats
        self.heartbeats = Heartbeats()
        self.pacing = Pacing()  # of sessions that begin, or catch up
        self._openings = FairQueue(MAX_CONCURRENT_HEAD_READS, MAX_WAITING, MAX_WAITING)
        self._reader = reader
        self._bounds = (ring_frames, ring_bytes)
        self._feeds: dict[Topic, Feed] = {}
        self._tasks = Tasks()

    def __getitem__(self, topic: Topic) -> Feed:
        return self._feeds[topic]

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._feeds.values())

    def __len__(self) -> int:
        return len(self._feeds)

    def enter(self, watcher: Watcher) -> None:
        """Register with the feeds of its topics, opening those that are not."""
        for topic in watcher.topics:
            if topic not in self._feeds:
                self._feeds[topic] = self.open(topic)
            self._feeds[topic].watchers[watcher] = None

    def open(self, topic: Topic) -> Feed:
        return Feed(topic, self._reader, self._tasks, self._bounds)

    async def refresh(self, unsure: Callable[[], Sequence[Feed]], network: str | None = None) -> bool:
        """Read the heads of the feeds that `unsure` returns; it is called when there is a slot. False if a read failed.

        One statement reads all of them, and only a feed whose head has moved is read by itself. Networks get the slots
        in turns, and a session that is cancelled while it waits reads nothing. Raises QueueFull.
        """
        await self._openings.acquire(network)
        reading = self._tasks.start(
            self._read_heads(unsure())
        )  # in a task of its own, because cancelling a query costs a connection
        reading.add_done_callback(lambda _: self._openings.release())
        moved = await asyncio.shield(reading)
        return moved is not None and all(await asyncio.gather(*(feed.refresh() for feed in moved)))

    async def _read_heads(self, feeds: Sequence[Feed]) -> list[Feed] | None:
        """The feeds whose head has moved, which must be read by themselves; None if the read failed."""
        if not feeds:
            return []
        for feed in feeds:
            feed.dirty = feed.dirty and feed.head is not None  # (1)
        try:
            epoch, heads = await self._reader.heads([feed.topic for feed in feeds])
        except Exception as error:
            self.stats.failures += 1
            complain(log, error, f"reading the heads of {len(feeds)} topics")
            return None
        return [feed for feed in feeds if not feed.learn(epoch, heads[feed.topic])]

    def leave(self, watcher: Watcher) -> None:
        """Synchronous: it runs while a stream is being cancelled, when every await is cancelled too."""
        self.heartbeats.forget(watcher)
        for topic in watcher.topics:
            feed = self._feeds[topic]
            feed.watchers.pop(watcher, None)
            if not feed.watchers:
                del self._feeds[topic]  # (3)

    def hint(self, text: str) -> None:
        """A gid was published. One that is not news here, or not for us, costs nothing."""
        try:
            params = Gid.parse(text).params
            topic, seq = Topic.parse(params["topic"]), int(params["seq"])
        except (BadGid, BadTopic, KeyError, ValueError):
            log.warning("not a hint: %.200r", text)
            return
        feed = self._feeds.get(topic)
        if feed is not None:
            feed.hint(seq)

    def resync(self) -> None:
        """Hints may have been lost: look everywhere."""
        for feed in self._feeds.values():
            feed.request_read()

    async def sweep(self) -> None:
        """Compare what the open feeds know with the database, and look where they differ."""
        self.stats.sweeps += 1
        feeds = list(self._feeds.values())
        for feed in feeds:
            feed.forget_chunks()
        for at in range(0, len(feeds), TOPICS_PER_STATEMENT):
            part = feeds[at : at + TOPICS_PER_STATEMENT]
            epoch, heads = await self._reader.heads([feed.topic for feed in part])
            for feed in part:
                if feed.head is not None and (feed.dirty or (epoch, heads[feed.topic]) != (feed.epoch, feed.head)):
                    self.stats.finds += not feed.dirty
                    feed.request_read()

    async def keep_sweeping(self, seconds: float, hints_flow: Callable[[], bool]) -> None:
        """Sweep for ever, every `seconds` give or take a fifth, and every second while hints do not flow."""
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
                complain(log, error, "sweeping")

    async def close(self) -> None:
        self.heartbeats.close()
        await self._tasks.cancel()


def _release(awaited: Sequence[asyncio.Future[bool]] | None, fresh: bool) -> None:
    for done in awaited or ():
        if not done.done():
            done.set_result(fresh)
