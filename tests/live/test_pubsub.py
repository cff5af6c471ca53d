from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.live import pubsub
from app.live.pubsub import Hints
from tests.support.redis import RedisServer
from tests.support.waiting import end, wait_until


class Ear:
    """What one process hears."""

    def __init__(self, url: str | None, channel: str = "comments", beside: Beside | None = None) -> None:
        self.heard: list[str] = []
        self.doubts = 0
        self.hints = Hints(self._where, channel, self.heard.append, self._doubt, beside)
        self._url = url

    async def _where(self) -> str | None:
        return self._url

    def _doubt(self) -> None:
        self.doubts += 1


class Beside:
    """What it hears that is no hint."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.doubts = 0

    def receive(self, text: str) -> None:
        self.heard.append(text)

    def resync(self) -> None:
        self.doubts += 1


@asynccontextmanager
async def listening(ear: Ear) -> AsyncIterator[Ear]:
    tasks = [asyncio.create_task(work) for work in (ear.hints.keep_listening(), ear.hints.keep_publishing())]
    try:
        yield ear
    finally:
        await end(*tasks)


async def test_what_one_publishes_all_hear(redis_url: str, channel: str) -> None:
    async with listening(Ear(redis_url, channel)) as one, listening(Ear(redis_url, channel)) as two:
        await wait_until(lambda: one.hints.flowing and two.hints.flowing, "both to listen")
        one.hints.publish("gid://parley/Comment/1")
        await wait_until(lambda: one.heard == two.heard == ["gid://parley/Comment/1"], "both to hear")
        await wait_until(lambda: one.hints.published == 1, "Redis to say that it has it")
        assert (one.hints.received, two.hints.published, two.hints.received) == (1, 0, 1)
        assert [sum(each.hints.lags.counts) for each in (one, two)] == [1, 0], "who wrote measures the way"


async def test_channels_do_not_mix(redis_url: str, channel: str) -> None:
    async with listening(Ear(redis_url, channel)) as one, listening(Ear(redis_url, f"{channel}-2")) as two:
        await wait_until(lambda: one.hints.flowing and two.hints.flowing, "both to listen")
        one.hints.publish("for one")
        two.hints.publish("for two")
        await wait_until(lambda: one.heard and two.heard, "both to hear")
        assert (one.heard, two.heard) == (["for one"], ["for two"])


async def test_every_subscription_is_a_doubt(redis_server: RedisServer) -> None:
    async with listening(Ear(redis_server.url)) as ear:
        await wait_until(lambda: ear.doubts == 1, "the first subscription")
        redis_server.kill()
        await wait_until(lambda: not ear.hints.flowing, "the break to be noticed")
        redis_server.restart()
        await wait_until(lambda: ear.doubts == 2 and ear.hints.flowing, "the second subscription")


async def test_a_writer_does_not_notice_that_redis_is_away(redis_server: RedisServer) -> None:
    async with listening(Ear(redis_server.url)) as ear:
        await wait_until(lambda: ear.hints.flowing, "Redis")
        redis_server.kill()
        for number in range(pubsub.MAX_QUEUED_HINTS + 10):
            ear.hints.publish(f"gid {number}")
        assert ear.hints.dropped == 10
        await wait_until(lambda: not ear.hints.flowing, "the break to be noticed")
        assert ear.hints.breaks == 1
        redis_server.restart()
        last = f"gid {pubsub.MAX_QUEUED_HINTS + 9}"
        await wait_until(lambda: last in ear.heard or ear.hints._sent.is_set(), "the newest to be sent")


async def test_a_paused_redis_is_noticed_though_its_connection_stands(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "PING_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(pubsub, "SILENCE_TIMEOUT_SECONDS", 0.3)
    async with listening(Ear(redis_server.url)) as ear:
        await wait_until(lambda: ear.hints.flowing, "Redis")
        redis_server.pause()
        await wait_until(lambda: not ear.hints.flowing, "the silence to be noticed")
        redis_server.resume()
        await wait_until(lambda: ear.hints.flowing and ear.doubts == 2, "hints to flow again")


async def test_pongs_keep_a_quiet_subscription(redis_url: str, channel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub, "PING_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(pubsub, "SILENCE_TIMEOUT_SECONDS", 2.0)
    async with listening(Ear(redis_url, channel)) as ear:
        await wait_until(lambda: ear.hints.flowing, "Redis")
        clock = asyncio.get_running_loop().time
        subscribed = clock()
        await wait_until(
            lambda: clock() - subscribed > 2 * pubsub.SILENCE_TIMEOUT_SECONDS, "more than the silence that breaks it"
        )
        assert ear.doubts == 1


async def test_without_any_redis_there_is_silence(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(Ear(None)) as ear:
        ear.hints.publish("into the void")
        await asyncio.sleep(0)
        assert not ear.hints.flowing
    assert not caplog.records


async def test_bytes_that_are_no_text_are_passed_on_as_something(redis_url: str, channel: str) -> None:
    from redis.asyncio import Redis

    async with listening(Ear(redis_url, channel)) as ear, Redis.from_url(redis_url) as redis:
        await wait_until(lambda: ear.hints.flowing, "Redis")
        await redis.publish(channel, b"\xff\xfe")
        await wait_until(lambda: ear.heard, "it to be heard")


async def test_what_is_mentioned_is_heard_beside_the_hints(redis_url: str, channel: str) -> None:
    one, two = Beside(), Beside()
    async with listening(Ear(redis_url, channel, one)) as here, listening(Ear(redis_url, channel, two)) as there:
        await wait_until(lambda: (one.doubts, two.doubts) == (1, 1), "both to listen")
        here.hints.publish_aside("that I am here")
        here.hints.publish("gid://parley/Comment/1")
        await wait_until(lambda: there.heard and two.heard, "both to be heard")
        assert (two.heard, there.heard) == (["that I am here"], ["gid://parley/Comment/1"])
        assert (here.doubts, there.doubts) == (1, 1)


async def test_what_cannot_be_mentioned_now_is_not_mentioned_later(redis_server: RedisServer) -> None:
    beside = Beside()
    async with listening(Ear(redis_server.url, beside=beside)) as ear:
        await wait_until(lambda: beside.doubts, "Redis")
        redis_server.kill()
        for _ in range(pubsub.MAX_QUEUED_SIDE_MESSAGES + 10):
            ear.hints.publish_aside("too late")
        assert len(ear.hints._side_queue) <= pubsub.MAX_QUEUED_SIDE_MESSAGES
        await wait_until(lambda: not ear.hints.flowing, "the break to be noticed")
        ear.hints.publish_aside("far too late")
        await wait_until(lambda: not ear.hints._side_queue, "the rest to be dropped")
        await ear.hints.flush(3600)  # returns at once: nothing is left to wait for
        redis_server.restart()
        await wait_until(lambda: beside.doubts == 2, "the second subscription")
        ear.hints.publish_aside("in time")
        await wait_until(lambda: beside.heard, "it to be heard")
    assert beside.heard == ["in time"]
