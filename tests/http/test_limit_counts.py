"""Limit counts in Redis: a script takes the counts of several requests, exactly as `limits` takes each alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from limits import parse
from limits.aio.storage import RedisStorage
from redis.asyncio import Redis

from app.http import rate_limits
from app.http.limit_counts import Count, CountStorage, OneRedis
from tests.support.people import ARTICLE, person, read_json
from tests.support.serving import serving
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.settings import Settings
    from tests.support.redis import RedisServer

pytestmark = pytest.mark.sqlite_only  # counts are not in the database

PEOPLE = ("Alice", "Bob", "an office")


@asynccontextmanager
async def storage(server: RedisServer, prefix: str) -> AsyncIterator[RedisStorage]:
    opened = RedisStorage(f"async+{server.url}", implementation="redispy", key_prefix=prefix)
    bridge: Any = opened.bridge
    async with bridge.get_connection():
        yield opened


def draw_request(draw: random.Random) -> list[Count]:
    """Like a real one: perhaps a test, then the counts of networks and of an account."""
    item = parse("7 per hour")
    counts = [Count(item, ("comment", name), draw.randint(1, 3)) for name in draw.sample(PEOPLE, draw.randint(1, 3))]
    return [Count(item, counts[-1].key, counts[-1].cost, adds=False), *counts] if draw.random() < 0.5 else counts


async def counts_in(server: RedisServer, prefix: str) -> dict[str, bytes]:
    """The counts above zero, by their keys without the prefix."""
    async with Redis.from_url(server.url) as redis:
        found = {key.decode(): await redis.get(key) async for key in redis.scan_iter(f"{prefix}:*")}
    return {key.removeprefix(prefix): value for key, value in found.items() if value != b"0"}


@pytest.mark.parametrize("seed", range(5))
async def test_the_script_refuses_and_counts_as_limits_does(redis_server: RedisServer, seed: int) -> None:
    draw, ours, theirs = random.Random(seed), f"ours {seed}", f"theirs {seed}"
    requests = [draw_request(draw) for _ in range(30)]
    async with storage(redis_server, ours) as one, storage(redis_server, theirs) as other:
        script, alone = OneRedis(one), CountStorage(other)
        full = [*await script.take(requests[:12]), *await script.take(requests[12:])]
        assert full == [(await alone.take([request]))[0] for request in requests]
        assert any(full)
        assert not all(full)
        assert await counts_in(redis_server, ours) == await counts_in(redis_server, theirs)


async def test_a_process_of_an_earlier_release_shares_the_counts(redis_server: RedisServer) -> None:
    count = Count(parse("4 per hour"), ("comment", "Alice"))
    async with storage(redis_server, uuid4().hex) as one:
        earlier, here = CountStorage(one), OneRedis(one)
        for taker in (earlier, here, earlier, here):
            assert await taker.take([[count]]) == [None]
        assert await earlier.take([[count]]) == await here.take([[count]]) == [count]


async def test_the_window_slides(redis_server: RedisServer) -> None:
    """The previous window counts by the part of it that is less than an hour ago: here 4.5 of 10."""
    count = Count(parse("10 per hour"), ("comment", "Alice"))
    async with storage(redis_server, "sliding") as one, Redis.from_url(redis_server.url) as redis:
        await redis.set("sliding:{LIMITER/comment/Alice/10/1/hour}", 10, px=3_600_000 * 45 // 100)
        assert await OneRedis(one).take([[count]] * 9) == [None] * 6 + [count] * 3


async def test_a_comment_needs_one_round_trip_for_its_counts(settings: Settings, redis_server: RedisServer) -> None:
    from app.main import create_app

    own = settings.model_copy(update={"redis_url": redis_server.url})
    async with serving(create_app(own)) as site, person(site, "Alice") as alice:
        parley = site.state.parley
        await wait_until(lambda: parley.hints.flowing, "Redis")
        alice.headers["X-Forwarded-For"] = "2001:db8::1"  # two networks, and the account
        await alice.post("/api/comments/", json={**ARTICLE, "body": "This loads the script"})
        async with Redis.from_url(redis_server.url) as redis:
            await redis.config_resetstat()
            read_json(await alice.post("/api/comments/", json={**ARTICLE, "body": "Hello"}), 201)
            calls = await redis.info("commandstats")
    assert calls["cmdstat_evalsha"]["calls"] == 1


async def test_requests_that_wait_are_counted_together(settings: Settings, redis_server: RedisServer) -> None:
    from app.live.service import Parley
    from app.models import LIVE_MODELS

    own = settings.model_copy(update={"redis_url": redis_server.url})
    limit = rate_limits.Limit("few", parse("100 per hour"), parse("30 per hour"))
    async with Parley(own, LIVE_MODELS) as parley, rate_limits.Limits(parley) as limits:
        await wait_until(lambda: parley.hints.flowing, "Redis")
        await limits.take_for(limit, "Bob")
        async with Redis.from_url(redis_server.url) as redis:
            await redis.config_resetstat()
            results = await asyncio.gather(
                *(limits.take_for(limit, "Alice") for _ in range(40)), return_exceptions=True
            )
            calls = await redis.info("commandstats")
    assert [type(result).__name__ for result in results] == ["NoneType"] * 30 + ["TooMany"] * 10
    assert limits.refused == {"few": 10}
    scripts_for_takes = 2  # one for the first request, and one for those that arrived meanwhile
    scripts_for_times = 10  # of the refused ones
    assert calls["cmdstat_evalsha"]["calls"] == scripts_for_takes + scripts_for_times


async def test_addresses_of_a_full_network_get_no_counts(settings: Settings, redis_server: RedisServer) -> None:
    """Otherwise one person with a /48 could fill the memory of Redis."""
    from app.main import create_app

    limit = rate_limits.SIGN_IN.by_address
    own = settings.model_copy(update={"redis_url": redis_server.url})
    async with serving(create_app(own)) as site, site.client() as guest, Redis.from_url(redis_server.url) as redis:
        parley = site.state.parley
        await wait_until(lambda: parley.hints.flowing, "Redis")
        for number, status in ((0, 422), (1, 429), (2, 429)):
            guest.headers["X-Forwarded-For"] = f"2001:db8:0:{number}::1"
            assert (await guest.put("/api/confirmations", json={"token": "x"})).status_code == status
            async for key in redis.scan_iter("*/48/*"):
                await redis.set(key, 4 * limit.amount, keepttl=True)
        assert [key async for key in redis.scan_iter("*2001:db8:0:*::/64/*")] == []
        assert len([key async for key in redis.scan_iter("*/64/*")]) == 1
