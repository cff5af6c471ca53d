"""Hints: gids on a Redis channel. A hint requests a read of its topic, and carries no content. `app.redis.client` knows
how to connect to that Redis.

1. Nothing depends on a hint. A failure here is a log line and a later delivery, never an error or a wait for a writer:
   `publish` appends to a bounded queue and returns.
2. Hints may have been missed before each (re)subscription, so each one requests a resync of every topic. redis-py would
   reconnect silently. It gets no retries here, so each break reaches the loop in `_keep`, which looks up the server
   before each attempt: after a failover it is another one.
3. A paused Redis or a dead path causes no error on the socket. So the subscription is pinged, and silence counts as a
   break.
4. One task owns the subscription from `subscribe` to its end: no other task may use it during a reconnect.
5. Presence messages use a side channel, so that the channel of the hints carries nothing but gids.
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

PING_INTERVAL_SECONDS = 2.0  # without any message
SILENCE_TIMEOUT_SECONDS = 5.0  # without any message or pong, after which Redis counts as unavailable
RECONNECT_SECONDS = (0.1, 2.0)  # the first wait, and the last: each one is double the one before
STABLE_SECONDS = 10.0  # after a connection of this length, a break is logged again, and the waits start over
MAX_QUEUED_HINTS = 10_000  # past that the oldest are dropped, and sweeps find their changes
MAX_QUEUED_SIDE_MESSAGES = 1_000  # past that the oldest are dropped
MAX_MEASURED_HINTS = 1_000  # hints of this process whose travel time is measured at once; others are not measured
BATCH_SIZE = 500  # hints, and side messages, in one round trip

log = logging.getLogger(__name__)


class SideChannel(Protocol):
    """The receiver of the messages on the side channel (5)."""

    def receive(self, text: str) -> None:
        """Take a message of any process, perhaps of this one."""

    def resync(self) -> None:
        """Messages may have been lost."""


class Hints:
    """Publishes gids, and receives those of every process, including this one.

    `where` returns the URL before every attempt to connect, or None if there is no Redis at all. `side_channel` gets
    the messages on the channel `<channel>.presence`; without it, this process does not subscribe to that.
    """

    def __init__(
        self,
        where: Callable[[], Awaitable[str | None]],
        channel: str,
        on_hint: Callable[[str], None],
        on_resync: Callable[[], None],
        side_channel: SideChannel | None = None,
    ) -> None:
        self.flowing = False  # whether the subscription is established
        self.published = self.received = self.dropped = self.breaks = 0  # since the start
        self.lags = Lags()  # of this process's own hints, from the commit to their arrival through Redis
        self._sent_at: dict[str, float] = {}  # by gid, of hints that have not arrived yet
        self.trouble = ""  # the error of the last break
        self._where = where
        self._channel = channel
        self._on_hint = on_hint
        self._on_resync = on_resync
        self._side_channel = side_channel
        self._side_channel_name = f"{channel}.presence"
        self._queue: deque[str] = deque(maxlen=MAX_QUEUED_HINTS)
        self._side_queue: deque[str] = deque(maxlen=MAX_QUEUED_SIDE_MESSAGES)
        self._queued = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._is_sending = False  # whether a batch with hints is being sent

    def publish(self, gid: str) -> None:
        """Send this gid to every process, soon. Never waits, never fails (1)."""
        self.dropped += len(self._queue) == MAX_QUEUED_HINTS
        self._queue.append(gid)
        if self.flowing and len(self._sent_at) < MAX_MEASURED_HINTS:
            self._sent_at[gid] = time.monotonic()
        self._sent.clear()
        self._queued.set()

    def publish_aside(self, text: str) -> None:
        """Send this to every process on the side channel; dropped while Redis is unavailable. Never waits or fails."""
        if self.flowing:
            self._side_queue.append(text)
            self._sent.clear()
            self._queued.set()

    @property
    def waiting(self) -> int:
        """The number of hints that are not sent yet."""
        return len(self._queue)

    async def flush(self, seconds: float) -> None:
        """Wait until everything published has been sent, for at most this long."""
        try:
            async with asyncio.timeout(seconds):
                await self._sent.wait()
        except TimeoutError:
            log.warning("%d hints were not sent before the end of this process; sweeps find them", len(self._queue))

    async def keep_listening(self) -> None:
        """Receive hints forever, and reconnect after every break."""
        await self._keep(self._listen, "hints")

    async def keep_publishing(self) -> None:
        """Send hints forever, and reconnect after every break. Connects only when there is something to publish."""
        await self._queued.wait()
        await self._keep(self._send, "publishing hints")

    async def _keep(self, work: Callable[[Client], Awaitable[None]], name: str) -> None:
        pause, up = RECONNECT_SECONDS[0], True
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                if (url := await self._where()) is None:
                    return  # no Redis on this machine: sweeps find all changes
                async with client(url, SILENCE_TIMEOUT_SECONDS) as redis:
                    await redis.ping()
                    await work(redis)
            except Trouble as error:
                self.trouble = str(error) or type(error).__name__
                if clock() - began > STABLE_SECONDS:  # a pong alone does not show that the work is permitted
                    pause, up = RECONNECT_SECONDS[0], True
                if up:
                    log.warning("%s: Redis is unavailable (%s); polling the database every second", name, error)
                up = False
            except Exception:
                log.exception("%s", name)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, RECONNECT_SECONDS[1])

    async def _listen(self, redis: Client) -> None:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(self._channel, *([self._side_channel_name] if self._side_channel else []))
                await self._receive(pubsub)
        finally:
            self.breaks += self.flowing
            self.flowing = False
            self._sent_at.clear()  # hints that were lost with the subscription never arrive
            self._drop_side_messages()

    async def _receive(self, pubsub: Any) -> None:
        clock = asyncio.get_running_loop().time
        last_message_at = clock()
        while True:
            message = await pubsub.get_message(timeout=PING_INTERVAL_SECONDS)
            if message is not None:
                last_message_at = clock()
                self._dispatch(message)
            elif clock() - last_message_at > SILENCE_TIMEOUT_SECONDS:
                raise TimeoutError(f"no pong for {SILENCE_TIMEOUT_SECONDS:g} s")  # (3)
            else:
                async with asyncio.timeout(SILENCE_TIMEOUT_SECONDS):
                    await pubsub.ping()

    def _dispatch(self, message: dict[str, Any]) -> None:
        side = self._side_channel if message.get("channel") == self._side_channel_name.encode() else None
        if message["type"] == "subscribe":
            self.flowing = True
            (side.resync if side else self._on_resync)()  # (2)
        elif message["type"] == "message":
            text = message["data"].decode("utf-8", "replace")
            if side is None:
                self._measure(text)
            (side.receive if side else self._on_hint)(text)

    def _measure(self, gid: str) -> None:
        self.received += 1
        if sent_at := self._sent_at.pop(gid, None):
            self.lags.add(time.monotonic() - sent_at)

    async def _send(self, redis: Client) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue or self._side_queue:
                hints, side_messages = _next_of(self._queue), _next_of(self._side_queue)
                self._is_sending = bool(hints)
                try:
                    async with asyncio.timeout(SILENCE_TIMEOUT_SECONDS):
                        await self._publish(redis, hints, side_messages)
                except BaseException:
                    self._queue.extendleft(reversed(hints))
                    self._queued.set()
                    raise
                finally:
                    self._is_sending = False
            self._sent.set()

    def _drop_side_messages(self) -> None:
        """Hints wait until Redis is available again. Side messages would be outdated by then, so they are dropped."""
        self._side_queue.clear()
        if not (self._queue or self._is_sending):
            self._sent.set()

    async def _publish(self, redis: Client, hints: list[str], side_messages: list[str]) -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            for gid in hints:
                pipeline.publish(self._channel, gid)
            for text in side_messages:
                pipeline.publish(self._side_channel_name, text)
            await pipeline.execute()
        self.published += len(hints)


def _next_of(queue: deque[str]) -> list[str]:
    return [queue.popleft() for _ in range(min(BATCH_SIZE, len(queue)))]
