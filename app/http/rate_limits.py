"""Limits: how often one address, or one account, may do what costs others something.

Counted on Redis, so for all processes together; in memory, by each process, while there is none. A limit is for who
does harm: it is far above what people do, and above what an office behind one address does. Guessing at one account is
slowed down elsewhere, and sooner (`app.accounts.login_throttle`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self, cast

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisClusterStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter as Limiter
from limits.errors import StorageError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounts.identity import current_viewer
from app.accounts.passwords import queue_key
from app.errors import TooMany
from app.http.client_addresses import Network, Networks, networks_of
from app.live.service import Parley
from app.live.write.sequences import read_heads
from app.redis.client import Trouble, cluster_options
from app.redis.urls import parse as parse_url

PATIENCE = 0.5  # seconds for Redis to count; a person waits for it
WITHOUT = 10.0  # seconds for which a Redis that did not answer is left alone

log = logging.getLogger(__name__)


@dataclass(eq=False)
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
STREAM_TOPICS = Limit("stream topics", parse("100000 per 5 minutes"))  # the cost of an opening depends on its topics
READ = Limit("read", parse("3000 per 5 minutes"))

# Reads that are not counted: checks and metrics, responses from memory or from a file, and streams, which have a limit
# of their own.
FREE_READS = frozenset({"/healthz", "/readyz", "/metrics", "/embed.js", "/worker.js", "/streams"})
STATIC = "/static/"
MAX_READERS = 50_000  # networks whose reads a process counts; past that all others share one count


class ReadCounts:
    """Counts the reads of each network from this process in the current period.

    The counts are not on Redis: a read takes a few milliseconds, and asking Redis first would slow down every page. A
    period is a fixed window. It begins with the first read after the previous period.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._ends_at = 0.0

    def take(self, networks: Networks, item: RateLimitItem) -> None:
        """Count one more read by these networks. Raises TooMany."""
        now = self._clock()
        if now >= self._ends_at:
            self._counts.clear()
            self._ends_at = now + item.get_expiry()
        names = {self._name(network): network.times * item.amount for network in networks}
        if any(self._counts[name] >= most for name, most in names.items()):
            raise TooMany(self._ends_at - now, "Too many requests.")
        self._counts.update(names.keys())

    def _name(self, network: Network) -> str:
        return network.name if network.name in self._counts or len(self._counts) < MAX_READERS else ""


class Limits:
    """The counts of one process. An async context manager: its connections are closed after."""

    def __init__(self, parley: Parley) -> None:
        self._parley = parley
        self.refused: Counter[str] = Counter()  # by the limit's name, since the start
        self._reads = ReadCounts()
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

    def networks_of(self, scope: Scope) -> Networks:
        """The networks that this request is counted under; none if there are no limits."""
        return networks_of(scope, self._parley.settings.environment) if self._on else ()

    def take_read(self, networks: Networks) -> None:
        """Count one more read by these networks from this process. Raises TooMany."""
        try:
            self._reads.take(networks, READ.by_address)
        except TooMany:
            self.refused[READ.name] += 1
            raise

    def turn_of(self, scope: Scope) -> str | None:
        """The network in whose turn this request waits in a fair queue (`app.live.fair_queue`)."""
        networks = self.networks_of(scope)
        return networks[-1].name if networks else None

    async def take(self, request: Request, limit: Limit, cost: int = 1) -> None:
        """Count `cost` more of these under this request's address. Raises TooMany."""
        networks = self.networks_of(request.scope)
        for network in networks[1:]:  # before any count changes: rotating addresses must not make new counts
            await self._take(_times(limit.by_address, network.times), limit.name, network.name, cost=cost, count=False)
        for network in networks:
            await self._take(_times(limit.by_address, network.times), limit.name, network.name, cost=cost)

    async def take_for(self, limit: Limit, account: str) -> None:
        """One more of these for this account. Raises TooMany."""
        if self._on and limit.by_account:
            await self._take(limit.by_account, limit.name, account)

    async def _take(self, item: RateLimitItem, *key: str, cost: int = 1, count: bool = True) -> None:
        try:
            limiter = await self._limiter()
            async with asyncio.timeout(PATIENCE):
                passed = await (limiter.hit if count else limiter.test)(item, *key, cost=cost)
                reset_at = 0.0 if passed else (await limiter.get_window_stats(item, *key)).reset_time
        except (StorageError, *Trouble) as error:
            log.warning("limits: Redis is away (%s); each process counts for itself", type(error).__name__)
            self._without_until = time.monotonic() + WITHOUT
            self._found = False
            await self._take(item, *key, cost=cost, count=count)
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
            return RedisClusterStorage(
                f"async+redis+cluster://{nodes}", **options, **cluster_options(cluster, PATIENCE)
            )
        scheme, _, rest = url.partition("://")
        return RedisStorage(
            f"async+{'redis+unix' if scheme == 'unix' else scheme}://{rest}",
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
            **options,
        )


async def take(request: Request, limit: Limit, cost: int = 1) -> None:
    """Count `cost` more of these under the request's address. Do this before expensive work. Raises TooMany."""
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


class LimitReadsMiddleware:
    """Counts reads by network, and tells the network to the queue for password hashes (`app.accounts.passwords`)."""

    def __init__(self, app: ASGIApp, limits: Limits, refuse: Callable[[Request, TooMany], Awaitable[Response]]) -> None:
        self.app = app
        self.limits = limits
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            networks = self.limits.networks_of(scope)
            queue_key.set(self.limits.turn_of(scope))
            if scope["method"] in ("GET", "HEAD") and not _is_free(scope["path"]):
                try:
                    self.limits.take_read(networks)
                except TooMany as refusal:
                    response = await self.refuse(Request(scope, receive), refusal)
                    await response(scope, receive, send)
                    return
        await self.app(scope, receive, send)


def _is_free(path: str) -> bool:
    return path in FREE_READS or path.startswith(STATIC)


def _limits_of(request: Request) -> Limits:
    limits: Limits = request.app.state.limits
    return limits


@lru_cache(1_000)
def _times(item: RateLimitItem, times: int) -> RateLimitItem:
    """The limit with this many times its amount."""
    return item if times == 1 else type(item)(item.amount * times, item.multiples, item.namespace)
