"""Redis fails in ways that a dead one does not: people get every change all the same, and no writer waits."""

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
HINTS_FLOW = 40.0  # seconds, on a machine that is busy with others


pytestmark = pytest.mark.sqlite_only


@asynccontextmanager
async def console(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


async def flow(site: Site) -> None:
    hints = site.server.config.app.state.parley.hints
    await wait_until(lambda: hints.flowing, "the hints to flow", HINTS_FLOW)


async def crosses_over(alice: httpx.AsyncClient, bob: httpx.AsyncClient, body: str) -> None:
    """Alice gets her answer while the test keeps Redis as it is, and Bob's stream brings what she wrote."""
    async with open_stream(bob, "Article/1") as stream:
        await stream.next()
        await write(alice, body)
        assert (await stream.until(CREATED)).model["body"] == body


async def test_a_password_that_is_no_longer_good(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    await flow(site)
    async with console(redis_url) as redis:
        await redis.config_set("requirepass", "another")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await crosses_over(alice, bob, "Without a password")
        await redis.config_set("requirepass", "")
    await flow(site)
    await crosses_over(alice, bob, "And with one")


async def test_a_subscriber_that_is_thrown_out_for_reading_too_slowly(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    """The limit on what a server holds for a subscriber, set below a single hint."""
    await flow(site)
    async with console(redis_url) as redis, open_stream(bob, "Article/1") as stream:
        await stream.next()
        await redis.config_set("client-output-buffer-limit", "pubsub 1 1 1")
        await redis.publish("comments", "x" * 1_000_000)
        for number in range(5):
            await write(alice, f"{number}")
            assert (await stream.until(CREATED)).model["body"] == f"{number}"
        await redis.config_set("client-output-buffer-limit", "pubsub 33554432 8388608 60")
    await flow(site)


async def test_one_that_answers_with_an_error(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    """Full, with nothing to evict: publishing is refused."""
    await flow(site)
    async with console(redis_url) as redis:
        await redis.config_set("maxmemory", "1")
        await crosses_over(alice, bob, "Full")
        await redis.config_set("maxmemory", "0")
    await flow(site)


async def test_one_that_takes_its_time_delays_no_writer(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_server: RedisServer
) -> None:
    await flow(site)
    redis_server.pause()
    await crosses_over(alice, bob, "Meanwhile")
    redis_server.resume()
    await flow(site)
