"""Redis fails while it still runs: people get every change all the same, and no writer waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from tests.support.people import write
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.support.redis import RedisServer
    from tests.support.serving import Site

CREATED = "create.success"
HINTS_TIMEOUT_SECONDS = 40.0  # long, because the machine may be busy


pytestmark = pytest.mark.sqlite_only


@asynccontextmanager
async def console(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


async def wait_for_hints(site: Site) -> None:
    hints = site.state.parley.hints
    await wait_until(lambda: hints.flowing, "Redis", HINTS_TIMEOUT_SECONDS)


async def assert_delivered(alice: httpx.AsyncClient, bob: httpx.AsyncClient, body: str) -> None:
    """Alice's request succeeds while Redis has its fault, and Bob's stream gets her comment."""
    async with open_stream(bob, "Article/1") as stream:
        await stream.next()
        await write(alice, body)
        assert (await stream.until(CREATED)).model["body"] == body


async def test_people_get_every_change_while_the_password_of_redis_is_wrong(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    await wait_for_hints(site)
    async with console(redis_url) as redis:
        await redis.config_set("requirepass", "another")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await assert_delivered(alice, bob, "Without a password")
        await redis.config_set("requirepass", "")
    await wait_for_hints(site)
    await assert_delivered(alice, bob, "And with one")


async def test_people_get_every_change_though_redis_drops_the_slow_subscriber(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    """The limit of Redis's buffer for a subscriber is below the size of a single hint."""
    await wait_for_hints(site)
    async with console(redis_url) as redis, open_stream(bob, "Article/1") as stream:
        await stream.next()
        await redis.config_set("client-output-buffer-limit", "pubsub 1 1 1")
        await redis.publish("comments", "x" * 1_000_000)
        for number in range(5):
            await write(alice, f"{number}")
            assert (await stream.until(CREATED)).model["body"] == f"{number}"
        await redis.config_set("client-output-buffer-limit", "pubsub 33554432 8388608 60")
    await wait_for_hints(site)


async def test_people_get_every_change_while_redis_refuses_to_publish(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    """The memory of Redis is full, and it has nothing to evict."""
    await wait_for_hints(site)
    async with console(redis_url) as redis:
        await redis.config_set("maxmemory", "1")
        await assert_delivered(alice, bob, "Full")
        await redis.config_set("maxmemory", "0")
    await wait_for_hints(site)


async def test_a_paused_redis_delays_no_writer(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_server: RedisServer
) -> None:
    await wait_for_hints(site)
    redis_server.pause()
    await assert_delivered(alice, bob, "Meanwhile")
    redis_server.resume()
    await wait_for_hints(site)
