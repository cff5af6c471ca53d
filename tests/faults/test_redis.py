"""Redis fails in ways that a dead one does not: people get every change all the same, and no writer waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from tests.faults.conftest import SWEEP
from tests.support.people import write
from tests.support.sse import listening
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site

CREATED = "create.success"
HINTS_FLOW = 5.0  # seconds in which they have to flow again


pytestmark = pytest.mark.sqlite_only


@asynccontextmanager
async def console(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


async def flow(site: Site) -> None:
    hints = site.server.config.app.state.parley.hints
    await wait_until(lambda: hints.flowing, "the hints to flow", HINTS_FLOW)


async def crosses_over(alice: httpx.AsyncClient, bob: httpx.AsyncClient, body: str) -> float:
    """How long Alice waits for her answer; Bob, who listens, has what she wrote within two sweeps."""
    async with listening(bob, "Article/1") as stream:
        await stream.next()
        began = time.monotonic()
        await write(alice, body)
        answered = time.monotonic() - began
        assert (await stream.until(CREATED, 2 * 1.2 * max(SWEEP, 1) + 1)).model["body"] == body
    return answered


async def test_a_password_that_is_no_longer_good(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    await flow(site)
    async with console(redis_url) as redis:
        await redis.config_set("requirepass", "another")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await crosses_over(alice, bob, "Without a password") < 1
        await redis.config_set("requirepass", "")
    await flow(site)
    assert await crosses_over(alice, bob, "And with one") < 1


async def test_a_subscriber_that_is_thrown_out_for_reading_too_slowly(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    """The limit on what a server holds for a subscriber, set below a single hint."""
    await flow(site)
    async with console(redis_url) as redis, listening(bob, "Article/1") as stream:
        await stream.next()
        await redis.config_set("client-output-buffer-limit", "pubsub 1 1 1")
        await redis.publish("comments", "x" * 1_000_000)
        for number in range(5):
            await write(alice, f"{number}")
            assert (await stream.until(CREATED, 4)).model["body"] == f"{number}"
        await redis.config_set("client-output-buffer-limit", "pubsub 33554432 8388608 60")
    await flow(site)


async def test_one_that_answers_with_an_error(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    """Full, with nothing to evict: publishing is refused."""
    await flow(site)
    async with console(redis_url) as redis:
        await redis.config_set("maxmemory", "1")
        assert await crosses_over(alice, bob, "Full") < 1
        await redis.config_set("maxmemory", "0")
    await flow(site)


async def test_one_that_takes_its_time_delays_no_writer(
    site: Site, alice: httpx.AsyncClient, bob: httpx.AsyncClient, redis_url: str
) -> None:
    await flow(site)
    async with console(redis_url) as redis:
        busy = asyncio.create_task(redis.execute_command("DEBUG", "SLEEP", "1.5"))
        await asyncio.sleep(0)
        assert await crosses_over(alice, bob, "Meanwhile") < 1
        await asyncio.gather(busy, return_exceptions=True)  # where DEBUG is not allowed, it was not slow either
