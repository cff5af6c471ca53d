"""Limits: how often one address, or one account, may do what costs others something.

Counted on Redis, so for all processes together; in memory, by each process, while there is none. A limit is for who
does harm: it is far above what people do, and above what an office behind one address does. Guessing at one account is
slowed down elsewhere, and sooner (`app.models.lock`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any, Self, cast

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisClusterStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter as Limiter
from limits.errors import StorageError
from starlette.requests import Request
from starlette.types import Scope

from app.live.counters import read_heads
from app.live.parley import Parley
from app.models.refusals import TooMany
from app.redis import Trouble, of_every_node
from app.redis_url import parse as parse_url
from app.web.identity import address_of, current_viewer

PATIENCE = 0.5  # seconds for Redis to count; a person waits for it
WITHOUT = 10.0  # seconds for which a Redis that did not answer is left alone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limit:
    """So many of these for one network address, and for one account (or address of mail), where that matters."""

    name: str
    by_address: RateLimitItem
    by_account: RateLimitItem | None = None


SIGN_IN = Limit("sign in", parse("200 per 5 minutes"))
SIGN_UP = Limit("sign up", parse("300 per hour"))
MAIL = Limit("mail", parse("60 per hour"), parse("10 per hour"))
COMMENT = Limit("comment", parse("3000 per 10 minutes"), parse("600 per 10 minutes"))
LIKE = Limit("like", parse("3000 per 10 minutes"), parse("600 per 10 minutes"))
TYPING = Limit("typing", parse("6000 per 10 minutes"), parse("600 per 10 minutes"))
NAMES = Limit("names", parse("6000 per 10 minutes"), parse("600 per 10 minutes"))
MARK = Limit("mark", parse("6000 per 10 minutes"), parse("1200 per 10 minutes"))
RENAME = Limit("rename", parse("100 per hour"), parse("10 per day"))
REPORT = Limit("report", parse("600 per 10 minutes"), parse("60 per 10 minutes"))
STREAM = Limit("stream", parse("3000 per 5 minutes"))
STREAM_TOPICS = Limit("stream topics", parse("100000 per 5 minutes"))  # what an opening costs goes with its topics


class Limits:
    """The counts of one process. An async context manager: its connections are closed after."""

    def __init__(self, parley: Parley) -> None:
        self._parley = parley
        self.refused: Counter[str] = Counter()  # by the limit's name, since the start
        self._on = parley.settings.rate_limits
        self._memory = Limiter(MemoryStorage())
        self._redis: Limiter | None = None
        self._redis_at = ""
        self._found = False  # whether Redis is known to be there; else it may have moved, and is looked for
        self._one_at_a_time = asyncio.Lock()
        self._without_until = 0.0
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit.aclose()

    def turn_of(self, scope: Scope) -> str | None:
        """In whose turn a request waits for what only a few get at once (`app.live.fair_queue`)."""
        return network_of(scope["client"][0]) if self._on and scope.get("client") else None

    async def take(self, request: Request, limit: Limit, cost: int = 1) -> None:
        """So many more of these by this request's address. Raises TooMany."""
        if not self._on:
            return
        if network := network_of(address_of(request)):
            await self._take(limit.by_address, limit.name, network, cost=cost)
        elif self._parley.settings.environment == "production":
            _warn_of_proxy()

    async def take_for(self, limit: Limit, account: str) -> None:
        """One more of these for this account. Raises TooMany."""
        if self._on and limit.by_account:
            await self._take(limit.by_account, limit.name, account)

    async def _take(self, item: RateLimitItem, *key: str, cost: int = 1) -> None:
        try:
            limiter = await self._limiter()
            async with asyncio.timeout(PATIENCE):
                passed = await limiter.hit(item, *key, cost=cost)
                reset_at = 0.0 if passed else (await limiter.get_window_stats(item, *key)).reset_time
        except (StorageError, *Trouble) as error:
            log.warning("limits: Redis is away (%s); each process counts for itself", type(error).__name__)
            self._without_until = time.monotonic() + WITHOUT
            self._found = False
            await self._take(item, *key, cost=cost)
            return
        if not passed:
            self.refused[key[0]] += 1
            raise TooMany(reset_at - time.time())

    async def _limiter(self) -> Limiter:
        if time.monotonic() < self._without_until or not self._parley.hints.flowing:
            return self._memory
        async with self._one_at_a_time:  # whoever comes second would close what the first counts with
            if not self._found:
                await self._find()
        return self._redis or self._memory

    async def _find(self) -> None:
        async with asyncio.timeout(PATIENCE):
            url = await self._parley.redis_url()
        if url and url != self._redis_at:
            async with self._parley.reading() as reading:
                epoch, _ = await read_heads(reading, [])
            storage = self._storage(url, f"{self._parley.settings.redis_channel_name} {epoch}")
            await self._exit.aclose()  # of where it was before
            self._exit.push_async_callback(cast(Any, storage.bridge).get_connection().aclose)
            self._redis, self._redis_at = Limiter(storage), url
        self._found = True

    def _storage(self, url: str, prefix: str) -> RedisStorage:
        """Counts of this database's people; others on the same Redis have their own."""
        options: dict[str, Any] = {"implementation": "redispy", "wrap_exceptions": True, "key_prefix": prefix}
        cluster = parse_url(self._parley.settings.redis_url)
        if cluster.kind == "cluster":  # where each count has a node of its own
            nodes = ",".join(cluster.nodes)
            return RedisClusterStorage(f"async+redis+cluster://{nodes}", **options, **of_every_node(cluster, PATIENCE))
        scheme, _, rest = url.partition("://")
        return RedisStorage(
            f"async+{'redis+unix' if scheme == 'unix' else scheme}://{rest}",
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
            **options,
        )


async def take(request: Request, limit: Limit, cost: int = 1) -> None:
    """So many more of these from where the request comes. Before anything that costs more. Raises TooMany."""
    await _limits_of(request).take(request, limit, cost)


def turn_of(request: Request) -> str | None:
    """See `Limits.turn_of`."""
    return _limits_of(request).turn_of(request.scope)


async def take_for(request: Request, limit: Limit, account: str) -> None:
    """One more of these for this account, or address of mail (its fingerprint, since counts name nobody)."""
    await _limits_of(request).take_for(limit, account)


async def take_own(request: Request, limit: Limit) -> None:
    """One more of these by the signed-in account, from where it asks."""
    viewer = await current_viewer(request)
    await take(request, limit)
    await take_for(request, limit, str(viewer.user_id))


def _limits_of(request: Request) -> Limits:
    limits: Limits = request.app.state.limits
    return limits


def network_of(address: str) -> str | None:
    """One customer's addresses: an IPv6 network of 64 bits is handed out as a whole. None for our own machine's.

    What comes from there is a proxy that does not say for whom it asks, and one limit for everybody would be none.
    """
    try:
        ip = ip_address(address)
    except ValueError:  # a unix socket
        return None
    ip = (ip.version == 6 and ip.ipv4_mapped) or ip
    if ip.is_loopback:
        return None
    return str(ip_network((ip, 64), strict=False) if ip.version == 6 else ip)


@cache
def _warn_of_proxy() -> None:
    """Once."""
    log.warning("limits: requests come from this machine itself; does the proxy send X-Forwarded-For?")
