"""Hints: gids on a Redis channel, each saying "look" and nothing else. The only module that knows Redis.

1. Nothing depends on a hint. Whatever goes wrong here is a log line and a slower arrival, never an error or a wait
   to a writer: `publish` puts into a bounded queue and returns.
2. Every (re)subscription means that hints may have been missed, so each is reported as a doubt about every topic.
   redis-py would reconnect silently; with no retries of its own, each break comes up to our loop instead.
3. A paused Redis or a dead path breaks nothing that a socket would notice. So the subscription is pinged, and
   silence counts as a break.
4. One task owns the subscription from `subscribe` to its end: no other may touch it during a reconnect.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

PING_EVERY = 2.0  # seconds without any message
SILENCE = 5.0  # seconds without any message or pong, after which Redis counts as away
RECONNECT = (0.1, 2.0)  # seconds: the first wait, doubled up to the last
STOOD = 10.0  # seconds after which a break is a new one, to be said and hurried
QUEUE = 10_000  # hints that wait for Redis; past that the oldest are dropped, as sweeps find what they meant
BATCH = 500  # hints in one round trip

# RuntimeError is uvloop's word for a connection that the other side has just closed.
Trouble = (RedisError, OSError, TimeoutError, EOFError, RuntimeError)

log = logging.getLogger(__name__)


class Hints:
    """Publishes gids and hears those of every process, this one's too.

    `where` is asked for the URL before every attempt to connect, and answers None where there is no Redis at all.
    """

    def __init__(
        self,
        where: Callable[[], Awaitable[str | None]],
        channel: str,
        on_hint: Callable[[str], None],
        on_doubt: Callable[[], None],
    ) -> None:
        self.flowing = False  # whether the subscription stands
        self._where = where
        self._channel = channel
        self._on_hint = on_hint
        self._on_doubt = on_doubt
        self._queue: deque[str] = deque(maxlen=QUEUE)
        self._queued = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()

    def publish(self, gid: str) -> None:
        """Send this gid to every process, as soon as may be. Never waits, never fails (1)."""
        self._queue.append(gid)
        self._sent.clear()
        self._queued.set()

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

    async def _keep(self, work: Callable[[Redis], Awaitable[None]], name: str) -> None:
        pause, up = RECONNECT[0], True
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                if (url := await self._where()) is None:
                    return  # no Redis on this machine: sweeps alone
                async with _client(url) as redis:
                    await redis.ping()
                    await work(redis)
            except Trouble as error:
                if clock() - began > STOOD:  # an answer to PING alone is no sign that the work is allowed
                    pause, up = RECONNECT[0], True
                if up:
                    log.warning("%s: Redis is away (%s); sweeping instead", name, error)
                up = False
            except Exception:
                log.exception("%s", name)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, RECONNECT[1])

    async def _listen(self, redis: Redis) -> None:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(self._channel)
                await self._hear(pubsub)
        finally:
            self.flowing = False

    async def _hear(self, pubsub: Any) -> None:
        clock = asyncio.get_running_loop().time
        heard = clock()
        while True:
            message = await pubsub.get_message(timeout=PING_EVERY)
            if message is not None:
                heard = clock()
                self._take(message)
            elif clock() - heard > SILENCE:
                raise TimeoutError(f"no pong for {SILENCE:g} s")  # (3)
            else:
                async with asyncio.timeout(SILENCE):
                    await pubsub.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self.flowing = True
            self._on_doubt()  # (2)
        elif message["type"] == "message":
            self._on_hint(message["data"].decode("utf-8", "replace"))

    async def _send(self, redis: Redis) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                try:
                    async with asyncio.timeout(SILENCE):
                        await self._publish(redis, batch)
                except BaseException:
                    self._queue.extendleft(reversed(batch))
                    self._queued.set()
                    raise
            self._sent.set()

    async def _publish(self, redis: Redis, gids: list[str]) -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            for gid in gids:
                pipeline.publish(self._channel, gid)
            await pipeline.execute()


def _client(url: str) -> Redis:
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=SILENCE, socket_timeout=SILENCE)
