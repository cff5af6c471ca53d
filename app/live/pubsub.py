"""Publish and subscribe: text messages between the processes, on channels of Redis. `app.redis.client` knows how to
connect to that Redis.

1. Nothing depends on a message. A failure here is a log line and a later delivery, never an error or a wait for the
   sender: `Channel.publish` appends to a bounded queue and returns.
2. Messages may have been missed before each (re)subscription, so each one calls `on_resync` of the channel. redis-py
   would reconnect silently. It gets no retries here, so each break reaches the loop in `_keep`, which looks up the
   server before each attempt: after a failover it is another one.
3. A paused Redis or a dead path causes no error on the socket. So the subscription is pinged, and silence counts as a
   break.
4. One task owns the subscription from `subscribe` to its end: no other task may use it during a reconnect.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from app.live.stats import Lags
from app.redis.client import REDIS_ERRORS, Client, client

PING_INTERVAL_SECONDS = 2.0  # without any message
SILENCE_TIMEOUT_SECONDS = 5.0  # without any message or pong, after which Redis counts as unavailable
RECONNECT_SECONDS = (0.1, 2.0)  # the first wait, and the last: each one is double the one before
STABLE_SECONDS = 10.0  # after a connection of this length, a break is logged again, and the waits start over
MAX_MEASURED_MESSAGES = 1_000  # of a channel, whose travel time is measured at once; others are not measured
BATCH_SIZE = 500  # messages of each channel in one round trip

log = logging.getLogger(__name__)


class Channel:
    """A channel of Redis. `PubSub.open_channel` creates it."""

    def __init__(
        self,
        name: str,
        on_message: Callable[[str], None],
        on_resync: Callable[[], None],
        on_queued: Callable[[], None],
        max_queued: int,
        outlasts_breaks: bool,
    ) -> None:
        self.name = name
        self.flowing = False  # whether the subscription is established
        self.published = self.received = self.dropped = 0  # messages since the start
        self.lags = Lags()  # of this process's own messages, from `publish` to their arrival through Redis
        self.outlasts_breaks = outlasts_breaks
        self._on_message = on_message
        self._on_resync = on_resync
        self._on_queued = on_queued
        self._queue: deque[str] = deque(maxlen=max_queued)
        self._sent_at: dict[str, float] = {}  # by text, of messages that have not arrived yet

    @property
    def waiting(self) -> int:
        """The number of messages that are not sent yet."""
        return len(self._queue)

    def publish(self, text: str) -> None:
        """Send this to every process, soon. Never waits, never fails (1)."""
        if not (self.flowing or self.outlasts_breaks):
            return
        self.dropped += len(self._queue) == self._queue.maxlen
        self._queue.append(text)
        if self.flowing and len(self._sent_at) < MAX_MEASURED_MESSAGES:
            self._sent_at[text] = time.monotonic()
        self._on_queued()

    # -- for PubSub

    def take_batch(self) -> list[str]:
        return [self._queue.popleft() for _ in range(min(BATCH_SIZE, len(self._queue)))]

    def put_back(self, texts: list[str]) -> None:
        """Queue these messages again, if they are still of use later."""
        if self.outlasts_breaks:
            self._queue.extendleft(reversed(texts))

    def start(self) -> None:
        self.flowing = True
        self._on_resync()  # (2)

    def stop(self) -> None:
        self.flowing = False
        self._sent_at.clear()  # messages that were lost with the subscription never arrive
        if not self.outlasts_breaks:
            self._queue.clear()

    def receive(self, text: str) -> None:
        self.received += 1
        if sent_at := self._sent_at.pop(text, None):
            self.lags.add(time.monotonic() - sent_at)
        else:
            self._on_message(text)


class PubSub:
    """Channels of one Redis, and the connections to it. Open all channels before the first task starts.

    `where` returns the URL before every attempt to connect, or None if there is no Redis at all.
    """

    def __init__(self, where: Callable[[], Awaitable[str | None]]) -> None:
        self.breaks = 0  # of the subscription, since the start
        self.last_error = ""  # of the last break
        self._where = where
        self._channels: list[Channel] = []
        self._queued = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._is_sending = False  # whether a batch is being sent that is queued again if it fails

    def open_channel(
        self,
        name: str,
        on_message: Callable[[str], None],
        on_resync: Callable[[], None],
        *,
        max_queued: int,
        outlasts_breaks: bool = False,
    ) -> Channel:
        """A channel for texts. `on_message` gets those of other processes, and some of this process's own: those whose
        travel time is not measured.

        `on_resync` is called if messages may have been lost. At most `max_queued` messages wait to be sent; past that
        the oldest is dropped. While Redis is unavailable, messages wait if they are to outlast breaks. Otherwise they
        would be outdated afterwards, and are dropped.
        """
        channel = Channel(name, on_message, on_resync, self._on_queued, max_queued, outlasts_breaks)
        self._channels.append(channel)
        return channel

    async def flush(self, seconds: float) -> bool:
        """Wait until everything published has been sent, for at most this long. False if it has not."""
        try:
            async with asyncio.timeout(seconds):
                await self._sent.wait()
        except TimeoutError:
            return False
        return True

    async def keep_listening(self) -> None:
        """Receive messages forever, and reconnect after every break."""
        await self._keep(self._listen, "receiving")

    async def keep_publishing(self) -> None:
        """Send messages forever, and reconnect after every break. Connects only when there is something to publish."""
        await self._queued.wait()
        await self._keep(self._send, "publishing")

    def _on_queued(self) -> None:
        self._sent.clear()
        self._queued.set()

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
            except REDIS_ERRORS as error:
                self.last_error = str(error) or type(error).__name__
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
                await pubsub.subscribe(*(channel.name for channel in self._channels))
                await self._receive(pubsub)
        finally:
            self.breaks += any(channel.flowing for channel in self._channels)
            for channel in self._channels:
                channel.stop()
            if not self._is_sending and not any(channel.waiting for channel in self._channels):
                self._sent.set()

    async def _receive(self, pubsub: Any) -> None:
        channels = {channel.name.encode(): channel for channel in self._channels}
        clock = asyncio.get_running_loop().time
        last_message_at = clock()
        while True:
            message = await pubsub.get_message(timeout=PING_INTERVAL_SECONDS)
            if message is not None:
                last_message_at = clock()
                if channel := channels.get(message.get("channel")):
                    _dispatch(channel, message)
            elif clock() - last_message_at > SILENCE_TIMEOUT_SECONDS:
                raise TimeoutError(f"no pong for {SILENCE_TIMEOUT_SECONDS:g} s")  # (3)
            else:
                async with asyncio.timeout(SILENCE_TIMEOUT_SECONDS):
                    await pubsub.ping()

    async def _send(self, redis: Client) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while any(channel.waiting for channel in self._channels):
                batches = [(channel, channel.take_batch()) for channel in self._channels]
                self._is_sending = any(channel.outlasts_breaks and texts for channel, texts in batches)
                try:
                    async with asyncio.timeout(SILENCE_TIMEOUT_SECONDS):
                        await _publish(redis, batches)
                except BaseException:
                    for channel, texts in batches:
                        channel.put_back(texts)
                    self._queued.set()
                    raise
                finally:
                    self._is_sending = False
            self._sent.set()


def _dispatch(channel: Channel, message: dict[str, Any]) -> None:
    if message["type"] == "subscribe":
        channel.start()
    elif message["type"] == "message":
        channel.receive(message["data"].decode("utf-8", "replace"))


async def _publish(redis: Client, batches: list[tuple[Channel, list[str]]]) -> None:
    for channel, texts in batches:
        if texts:
            await redis.eval(_PUBLISH, 0, channel.name, *texts)
            channel.published += len(texts)


# A pipeline would pack and parse each message as a command of its own, which takes most of the time of publishing.
_PUBLISH = "for at = 2, #ARGV do redis.call('PUBLISH', ARGV[1], ARGV[at]) end"
