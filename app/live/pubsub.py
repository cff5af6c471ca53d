"""Hints: gids on a Redis channel, each saying "look" and nothing else. How to come to that Redis is `app.redis.client`.

1. Nothing depends on a hint. Whatever goes wrong here is a log line and a slower arrival, never an error or a wait
   to a writer: `publish` puts into a bounded queue and returns.
2. Every (re)subscription means that hints may have been missed, so each is reported as a doubt about every topic.
   redis-py would reconnect silently; with no retries of its own, each break comes up to our loop instead, which
   asks where Redis is before each attempt: after a failover it is elsewhere.
3. A paused Redis or a dead path breaks nothing that a socket would notice. So the subscription is pinged, and
   silence counts as a break.
4. One task owns the subscription from `subscribe` to its end: no other may touch it during a reconnect.
5. Presence travels beside the hints, on a channel of its own: on the hints' there is nothing but gids.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from app.live.stats import Lags
from app.redis.client import Client, Trouble, client

PING_INTERVAL_SECONDS = 2.0  # seconds without any message
SILENCE_TIMEOUT_SECONDS = 5.0  # seconds without any message or pong, after which Redis counts as away
RECONNECT_SECONDS = (0.1, 2.0)  # seconds: the first wait, doubled up to the last
STABLE_SECONDS = 10.0  # seconds after which a break is a new one, to be said and hurried
MAX_QUEUED_HINTS = 10_000  # hints that wait for Redis; past that the oldest are dropped, as sweeps find what they meant
MAX_QUEUED_SIDE_MESSAGES = 1_000  # messages of presence that wait to be sent; past that the oldest are dropped
MAX_MEASURED_HINTS = 1_000  # own hints on their way, whose time is taken; of more than that some are not
BATCH_SIZE = 500  # hints, or mentions, in one round trip

log = logging.getLogger(__name__)


class Beside(Protocol):
    """What else is told between processes (5)."""

    def receive(self, text: str) -> None:
        """A process, perhaps this one, has mentioned that."""

    def resync(self) -> None:
        """Mentions may have been lost."""


class Hints:
    """Publishes gids and hears those of every process, this one's too.

    `where` is asked for the URL before every attempt to connect, and answers None where there is no Redis at all.
    `beside` hears what is mentioned on `<channel>.presence`; without it nothing is.
    """

    def __init__(
        self,
        where: Callable[[], Awaitable[str | None]],
        channel: str,
        on_hint: Callable[[str], None],
        on_resync: Callable[[], None],
        beside: Beside | None = None,
    ) -> None:
        self.flowing = False  # whether the subscription stands
        self.published = self.heard = self.dropped = self.breaks = 0  # since the start
        self.lags = Lags()  # from the commit to hearing of it over Redis, of this process's own hints
        self._on_their_way: dict[str, float] = {}
        self.trouble = ""  # what Redis said when it broke last
        self._where = where
        self._channel = channel
        self._on_hint = on_hint
        self._on_resync = on_resync
        self._beside = beside
        self._side_channel = f"{channel}.presence"
        self._queue: deque[str] = deque(maxlen=MAX_QUEUED_HINTS)
        self._mentions: deque[str] = deque(maxlen=MAX_QUEUED_SIDE_MESSAGES)
        self._queued = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._underway = False  # whether hints are being sent just now

    def publish(self, gid: str) -> None:
        """Send this gid to every process, as soon as may be. Never waits, never fails (1)."""
        self.dropped += len(self._queue) == MAX_QUEUED_HINTS
        self._queue.append(gid)
        if self.flowing and len(self._on_their_way) < MAX_MEASURED_HINTS:
            self._on_their_way[gid] = time.monotonic()
        self._sent.clear()
        self._queued.set()

    def mention(self, text: str) -> None:
        """Tell every process this, or nobody where Redis is away. Never waits, never fails."""
        if self.flowing:
            self._mentions.append(text)
            self._sent.clear()
            self._queued.set()

    @property
    def waiting(self) -> int:
        """How many are not sent yet."""
        return len(self._queue)

    async def flush(self, seconds: float) -> None:
        """Wait until what was published has been sent, for at most this long."""
        try:
            async with asyncio.timeout(seconds):
                await self._sent.wait()
        except TimeoutError:
            log.warning("%d hints were not sent", len(self._queue))

    async def keep_listening(self) -> None:
        """Hear hints for ever, through every break."""
        await self._keep(self._listen, "hints")

    async def keep_publishing(self) -> None:
        """Send what is published for ever, through every break. Who publishes nothing never connects."""
        await self._queued.wait()
        await self._keep(self._send, "publishing hints")

    async def _keep(self, work: Callable[[Client], Awaitable[None]], name: str) -> None:
        pause, up = RECONNECT_SECONDS[0], True
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                if (url := await self._where()) is None:
                    return  # no Redis on this machine: sweeps alone
                async with client(url, SILENCE_TIMEOUT_SECONDS) as redis:
                    await redis.ping()
                    await work(redis)
            except Trouble as error:
                self.trouble = str(error) or type(error).__name__
                if clock() - began > STABLE_SECONDS:  # an answer to PING alone is no sign that the work is allowed
                    pause, up = RECONNECT_SECONDS[0], True
                if up:
                    log.warning("%s: Redis is away (%s); sweeping instead", name, error)
                up = False
            except Exception:
                log.exception("%s", name)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, RECONNECT_SECONDS[1])

    async def _listen(self, redis: Client) -> None:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(self._channel, *([self._side_channel] if self._beside else []))
                await self._hear(pubsub)
        finally:
            self.breaks += self.flowing
            self.flowing = False
            self._on_their_way.clear()  # what is lost with it never comes
            self._drop_mentions()

    async def _hear(self, pubsub: Any) -> None:
        clock = asyncio.get_running_loop().time
        heard = clock()
        while True:
            message = await pubsub.get_message(timeout=PING_INTERVAL_SECONDS)
            if message is not None:
                heard = clock()
                self._take(message)
            elif clock() - heard > SILENCE_TIMEOUT_SECONDS:
                raise TimeoutError(f"no pong for {SILENCE_TIMEOUT_SECONDS:g} s")  # (3)
            else:
                async with asyncio.timeout(SILENCE_TIMEOUT_SECONDS):
                    await pubsub.ping()

    def _take(self, message: dict[str, Any]) -> None:
        aside = self._beside if message.get("channel") == self._side_channel.encode() else None
        if message["type"] == "subscribe":
            self.flowing = True
            (aside.resync if aside else self._on_resync)()  # (2)
        elif message["type"] == "message":
            text = message["data"].decode("utf-8", "replace")
            if aside is None:
                self._measure(text)
            (aside.receive if aside else self._on_hint)(text)

    def _measure(self, gid: str) -> None:
        self.heard += 1
        if sent := self._on_their_way.pop(gid, None):
            self.lags.add(time.monotonic() - sent)

    async def _send(self, redis: Client) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue or self._mentions:
                batch, mentions = _next_of(self._queue), _next_of(self._mentions)
                self._underway = bool(batch)
                try:
                    async with asyncio.timeout(SILENCE_TIMEOUT_SECONDS):
                        await self._publish(redis, batch, mentions)
                except BaseException:
                    self._queue.extendleft(reversed(batch))
                    self._queued.set()
                    raise
                finally:
                    self._underway = False
            self._sent.set()

    def _drop_mentions(self) -> None:
        """Hints wait for Redis to be back. What was mentioned will be old by then, and nobody waits for it."""
        self._mentions.clear()
        if not (self._queue or self._underway):
            self._sent.set()

    async def _publish(self, redis: Client, gids: list[str], mentions: list[str]) -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            for gid in gids:
                pipeline.publish(self._channel, gid)
            for mention in mentions:
                pipeline.publish(self._side_channel, mention)
            await pipeline.execute()
        self.published += len(gids)


def _next_of(queue: deque[str]) -> list[str]:
    return [queue.popleft() for _ in range(min(BATCH_SIZE, len(queue)))]
