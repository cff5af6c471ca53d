"""Parley: the parts of the live engine of one process, connected. Apps and scripts read and write through it.

    async with Parley(Settings.load(), LIVE_MODELS) as parley:
        async with parley.writing(Topic("Article", "1")) as write: ...

It knows only the models that the caller passes. It has no global state, so a process may have several.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Self, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.database import Database
from app.live.gids import Gid
from app.live.heartbeats import Heartbeats
from app.live.hints import BadHint, Hint
from app.live.lanes import Item, Lanes, Outcome
from app.live.model import Live, LiveModel, locate
from app.live.pacing import Pacing
from app.live.presence.sealing import connect_presence
from app.live.pubsub import PubSub
from app.live.read.feeds import Feeds
from app.live.read.reader import Reader
from app.live.signing import Signer
from app.live.stats import StreamStats
from app.live.tasks import Tasks
from app.live.topics import Topic
from app.live.write.recording import Recording
from app.live.write.transaction import Store, Write, Writes
from app.redis.client import locator
from app.redis.embedded import EmbeddedRedis
from app.settings import VAR, Settings

R = TypeVar("R")

Read = Callable[[AsyncConnection, list[Item]], Awaitable[Sequence[Outcome]]]  # the outcome of each item

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10  # for running writes at shutdown
FLUSH_SECONDS = 1  # for sending their hints
MAX_QUEUED_HINTS = 10_000  # past that the oldest are dropped, and sweeps find their changes


class Parley:
    """Database, hints, feeds and writes of one process. An async context manager that starts and stops them."""

    def __init__(self, settings: Settings, models: tuple[LiveModel, ...], *, listening: bool = True) -> None:
        """Pass `listening=False` in a script that only writes: it then receives no hints and has no presence."""
        self.settings = settings
        self._listening = listening
        self.models = models
        self.signer = Signer(settings.secret_keys)
        self.database = Database(settings.database_url)
        self.reader = Reader(self.database, models)
        self.feeds = Feeds(self.reader, ring_frames=settings.ring_frames, ring_bytes=settings.ring_bytes)
        self.heartbeats = Heartbeats()
        self.pacing = Pacing()  # of sessions that open or catch up
        self.stream_stats = StreamStats()
        self.pubsub = PubSub(self.redis_url)
        channel = settings.redis_channel_name
        self.hints = self.pubsub.open_channel(
            channel, self._receive_hint, self.feeds.resync, max_queued=MAX_QUEUED_HINTS, outlasts_breaks=True
        )
        self.presence = (
            connect_presence(self.pubsub, settings.commentable_types, settings.secret_keys, channel)
            if listening and settings.presence
            else None
        )
        self._embedded = EmbeddedRedis(VAR) if settings.redis_url.startswith("embedded://") else None
        self._locator = self._embedded or locator(settings.redis_url)
        self._tasks = Tasks()
        self._work = Tasks()
        self._reads = Lanes(self._work, self._read)
        self.recording = Recording(settings)
        self.writes = Writes(self.recording, self.database, models, self._announce, self._work)

    async def __aenter__(self) -> Self:
        self._tasks.start(self.pubsub.keep_publishing())
        if self._listening:
            self._tasks.start(self.pubsub.keep_listening())
            self._tasks.start(self.feeds.keep_sweeping(self.settings.sweep_seconds, lambda: self.hints.flowing))
        if self.presence:
            self._tasks.start(self.presence.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._work.drain(DRAIN_SECONDS)
        if self.presence:
            self.presence.announce_end()
        if not await self.pubsub.flush(FLUSH_SECONDS):
            log.warning("%d hints were not sent before the end of this process; sweeps find them", self.hints.waiting)
        await self._tasks.cancel()
        self.heartbeats.close()
        await self.feeds.close()
        await self.database.close()
        if self._embedded:
            await self._embedded.stop()

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.database.reading()

    def writing(self, *topics: Topic) -> AbstractAsyncContextManager[Write]:
        """See `app.live.write.transaction`."""
        return self.writes.writing(*topics)

    async def write_together(self, store: Store[Item, Outcome], item: Item) -> Outcome:
        """See `app.live.write.transaction`."""
        return await self.writes.write_together(store, item)

    async def read_together(self, read: Read[Item, Outcome], item: Item) -> Outcome:
        """Read this item in one call with others that wait for the same function. The call begins after this one."""
        outcome: Outcome = await self._reads.add(read, item)
        return outcome

    async def _read(self, read: Read[Item, Outcome], items: list[Item]) -> Sequence[Outcome]:
        return await self.database.read(lambda connection: read(connection, items))

    async def own(self, work: Coroutine[Any, Any, R]) -> R:
        """Run `work` to its end, even if the caller is cancelled while waiting for it."""
        return await asyncio.shield(self._work.start(work))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the background. Shutdown waits for it. `work` must handle its own errors."""
        self._work.start(work)

    async def redis_url(self) -> str | None:
        """The URL of the current Redis server; None if there is none. Raises one of `app.redis.client.REDIS_ERRORS`.

        The first call starts an embedded server. With Sentinel or a cluster, the URL changes after a failover.
        """
        return await self._locator.ensure()

    async def locate(self, gid: Gid) -> Live:
        """The object with this gid, in its current state. Raises BadGid and GidNotFound."""
        async with self.reading() as reading:
            return await locate(reading, self.models, gid)

    async def touch(self, gid: Gid) -> None:
        """Publish a change of this object that was made outside Parley: it gets a new seq and is sent again."""
        found = await self.locate(gid)
        async with self.writing(Topic.parse(found.topic)) as write:
            if (row := await write.get(type(found), found.id)) and row.deleted_at is None:
                write.update(row)

    async def renew_epoch(self) -> str:
        """Give the database a new epoch, as needed after a restore. Returns the new epoch."""
        old, _ = await self.reader.heads([])
        return await self.reader.renew_epoch(old)

    def _announce(self, hint: Hint) -> None:
        """After a commit: hint the feeds of this process directly, and those of other processes through Redis."""
        self.feeds.hint(hint)
        self.hints.publish(str(hint))

    def _receive_hint(self, text: str) -> None:
        try:
            hint = Hint.parse(text)
        except BadHint as error:
            log.warning("ignored a message on the hints channel: %s", error)
        else:
            self.feeds.hint(hint)
