from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.live import pubsub
from app.live.pubsub import Channel, PubSub
from app.redis.client import client
from tests.support.redis import RedisServer
from tests.support.waiting import cancel_tasks, wait_until

MAX_QUEUED = 1_000


class Process:
    """The channels of one process, and the messages and resyncs of each."""

    def __init__(self, url: str | None) -> None:
        self.pubsub = PubSub(self._where)
        self.received: dict[str, list[str]] = {}
        self.resyncs: dict[str, int] = {}
        self._url = url

    def open_channel(self, name: str, *, outlasts_breaks: bool = True) -> Channel:
        received = self.received.setdefault(name, [])
        self.resyncs[name] = 0

        def resync() -> None:
            self.resyncs[name] += 1

        return self.pubsub.open_channel(
            name, received.append, resync, max_queued=MAX_QUEUED, outlasts_breaks=outlasts_breaks
        )

    async def _where(self) -> str | None:
        return self._url


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    tasks = [asyncio.create_task(work) for work in (process.pubsub.keep_listening(), process.pubsub.keep_publishing())]
    try:
        yield process
    finally:
        await cancel_tasks(*tasks)


@asynccontextmanager
async def listening(url: str | None, name: str = "comments") -> AsyncIterator[tuple[Process, Channel]]:
    """A process with one channel, whose messages outlast breaks, and which is subscribed if there is a Redis."""
    process = Process(url)
    channel = process.open_channel(name)
    async with running(process):
        await wait_until(lambda: channel.flowing or url is None, "the subscription")
        yield process, channel


async def test_the_other_processes_get_a_message_and_the_sender_measures_its_travel(
    redis_url: str, channel: str
) -> None:
    async with listening(redis_url, channel) as (one, here), listening(redis_url, channel) as (two, there):
        here.publish("gid://parley/Comment/1")
        await wait_until(lambda: here.received == there.received == 1, "both to receive it")
        await wait_until(lambda: here.published == 1, "Redis to confirm it")
        assert (one.received[channel], two.received[channel]) == ([], ["gid://parley/Comment/1"])
        assert there.published == 0
        assert [sum(each.lags.counts) for each in (here, there)] == [1, 0], "only the sender measures the travel time"


async def test_channels_with_other_names_do_not_receive_a_message(redis_url: str, channel: str) -> None:
    async with (
        listening(redis_url, channel) as (one, here),
        listening(redis_url, f"{channel}-2") as (two, there),
        client(redis_url, 5) as redis,
    ):
        await redis.publish(channel, "for one")
        await redis.publish(f"{channel}-2", "for two")
        await wait_until(lambda: here.received and there.received, "both to receive theirs")
        assert (one.received, two.received) == ({channel: ["for one"]}, {f"{channel}-2": ["for two"]})


async def test_every_subscription_is_a_resync(redis_server: RedisServer) -> None:
    async with listening(redis_server.url) as (process, channel):
        assert process.resyncs["comments"] == 1
        redis_server.kill()
        await wait_until(lambda: not channel.flowing, "the break to be noticed")
        redis_server.restart()
        await wait_until(lambda: process.resyncs["comments"] == 2 and channel.flowing, "the second subscription")


async def test_a_sender_does_not_notice_that_redis_is_unavailable(redis_server: RedisServer) -> None:
    async with listening(redis_server.url) as (process, channel):
        redis_server.kill()
        for number in range(MAX_QUEUED + 10):
            channel.publish(f"gid {number}")
        assert channel.dropped == 10
        await wait_until(lambda: not channel.flowing, "the break to be noticed")
        assert process.pubsub.breaks == 1
        redis_server.restart()
        newest = f"gid {MAX_QUEUED + 9}"
        await wait_until(
            lambda: newest in process.received["comments"] or process.pubsub._sent.is_set(), "the newest to be sent"
        )


async def test_a_paused_redis_is_noticed_though_its_connection_stands(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "PING_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(pubsub, "SILENCE_TIMEOUT_SECONDS", 0.3)
    async with listening(redis_server.url) as (process, channel):
        redis_server.pause()
        await wait_until(lambda: not channel.flowing, "the silence to be noticed")
        redis_server.resume()
        await wait_until(lambda: channel.flowing and process.resyncs["comments"] == 2, "messages to flow again")


async def test_pongs_keep_a_quiet_subscription(redis_url: str, channel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub, "PING_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(pubsub, "SILENCE_TIMEOUT_SECONDS", 2.0)
    async with listening(redis_url, channel) as (process, _):
        clock = asyncio.get_running_loop().time
        subscribed = clock()
        await wait_until(
            lambda: clock() - subscribed > 2 * pubsub.SILENCE_TIMEOUT_SECONDS, "more than the silence that breaks it"
        )
        assert process.resyncs[channel] == 1


async def test_without_any_redis_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(None) as (_, channel):
        channel.publish("to nobody")
        await asyncio.sleep(0)
        assert not channel.flowing
    assert not caplog.records


async def test_bytes_that_are_not_utf_8_arrive_as_some_text(redis_url: str, channel: str) -> None:
    from redis.asyncio import Redis

    async with listening(redis_url, channel) as (process, _), Redis.from_url(redis_url) as redis:
        await redis.publish(channel, b"\xff\xfe")
        await wait_until(lambda: process.received[channel], "it to arrive")


async def test_two_channels_of_a_process_have_their_own_messages_and_resyncs(redis_url: str, channel: str) -> None:
    one, two, aside = Process(redis_url), Process(redis_url), f"{channel}.presence"
    hints, presence = one.open_channel(channel), one.open_channel(aside, outlasts_breaks=False)
    for name in (channel, aside):
        two.open_channel(name)
    async with running(one), running(two):
        await wait_until(lambda: one.resyncs == two.resyncs == {channel: 1, aside: 1}, "all subscriptions")
        presence.publish("Alice is here")
        hints.publish("gid://parley/Comment/1")
        await wait_until(lambda: all(two.received.values()), "both to arrive")
        assert two.received == {channel: ["gid://parley/Comment/1"], aside: ["Alice is here"]}


async def test_messages_that_do_not_outlast_a_break_are_dropped(redis_server: RedisServer) -> None:
    process = Process(redis_server.url)
    channel = process.open_channel("presence", outlasts_breaks=False)
    async with running(process):
        await wait_until(lambda: channel.flowing, "Redis")
        redis_server.kill()
        for _ in range(MAX_QUEUED + 10):
            channel.publish("too late")
        assert channel.waiting <= MAX_QUEUED
        await wait_until(lambda: not channel.flowing, "the break to be noticed")
        channel.publish("far too late")
        await wait_until(lambda: not channel.waiting, "the rest to be dropped")
        assert await process.pubsub.flush(3600)  # returns at once: nothing is left to wait for
        redis_server.restart()
        await wait_until(lambda: process.resyncs["presence"] == 2, "the second subscription")
        channel.publish("in time")
        await wait_until(lambda: channel.published == 1, "Redis to confirm it")
        await wait_until(lambda: channel.received, "it to arrive")
    assert channel.received == 1
