"""Rate limits: how often one network address, or one account, may send a kind of request.

The counts are in Redis, for all processes together. While Redis is unavailable, each process counts in memory. A limit
stops abuse: it is far above the needs of a person, and of an office behind one address. Password guessing at one
account has its own, lower limit (`app.accounts.login_throttle`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self, cast

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisClusterStorage, RedisStorage
from limits.errors import StorageError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounts.identity import current_viewer
from app.accounts.passwords import queue_key
from app.errors import TooMany
from app.http.client_addresses import Network, Networks, networks_of
from app.http.limit_counts import Count, Counts, CountStorage, OneRedis
from app.live.lanes import Lane
from app.live.service import Parley
from app.live.tasks import Tasks
from app.live.write.sequences import read_heads
from app.redis.client import REDIS_ERRORS, cluster_options
from app.redis.urls import parse as parse_url

REDIS_TIMEOUT_SECONDS = 0.5  # a request waits for the count
REDIS_PAUSE_SECONDS = 10.0  # without requests to Redis, after an error

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Limit:
    """The limit of a kind of request for one network address, and for one account or e-mail address."""

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
STREAM_TOPICS = Limit("stream topics", parse("100000 per 5 minutes"))  # each topic costs work at the start
CHANGES = Limit("changes", parse("30000 per 5 minutes"))  # an address may be that of a cache with many guests
READ = Limit("read", parse("3000 per 5 minutes"))

# Reads that are not counted: health checks, metrics, responses from memory or from a file, and streams and changes,
# which have their own limits.
FREE_READS = frozenset({"/healthz", "/readyz", "/metrics", "/embed.js", "/worker.js", "/streams"})
FREE_FOLDERS = ("/static/", "/changes/")
MAX_READERS = 50_000  # networks with their own count in a process; all others share one


class ReadCounts:
    """Counts the reads of each network from this process in the current period.

    The counts are not in Redis: a read takes a few milliseconds, and a request to Redis would slow down every page. A
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
    """The counts of one process. An async context manager that closes the connections to Redis.

    Requests that arrive while others wait for their counts are counted together.
    """

    def __init__(self, parley: Parley) -> None:
        self._parley = parley
        self.refused: Counter[str] = Counter()  # by the limit's name, since the start
        self._reads = ReadCounts()
        self._on = parley.settings.rate_limits
        self._memory = CountStorage(MemoryStorage())
        self._redis: CountStorage | None = None
        self._redis_at = ""
        self._connected = False  # False: Redis may have another address; `_connect` asks for it
        self._paused_until = 0.0
        self._exit = AsyncExitStack()
        self._tasks = Tasks()
        self._lane: Lane[Counts, float] = Lane(self._tasks, self._take_together)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.cancel()
        await self._exit.aclose()

    def networks_of(self, scope: Scope) -> Networks:
        """The networks that this request is counted for; none if the limits are off."""
        return networks_of(scope, self._parley.settings.environment) if self._on else ()

    def take_read(self, networks: Networks) -> None:
        """Count one more read by these networks from this process. Raises TooMany."""
        try:
            self._reads.take(networks, READ.by_address)
        except TooMany:
            self.refused[READ.name] += 1
            raise

    def queue_key_of(self, scope: Scope) -> str | None:
        """The network that is this request's key in a fair queue (`app.live.fair_queue`)."""
        networks = self.networks_of(scope)
        return networks[-1].name if networks else None

    async def take(self, request: Request, limit: Limit, cost: int = 1, account: str = "") -> None:
        """Count `cost` requests for this request's address, and then for this account. Raises TooMany."""
        counts = [
            Count(_times(limit.by_address, network.times), (limit.name, network.name), cost)
            for network in self.networks_of(request.scope)
        ]
        tests = [replace(count, adds=False) for count in counts[1:]]  # first, so that rotating addresses add no counts
        await self._take([*tests, *counts, *self._of_account(limit, account)])

    async def take_for(self, limit: Limit, account: str) -> None:
        """Count a request for this account. Raises TooMany."""
        await self._take(self._of_account(limit, account))

    def _of_account(self, limit: Limit, account: str) -> Counts:
        counted = self._on and account and limit.by_account
        return [Count(counted, (limit.name, account))] if counted else []

    async def _take(self, counts: Counts) -> None:
        if counts and (reset_at := await self._lane.add(counts)):
            self.refused[counts[0].key[0]] += 1
            raise TooMany(reset_at - time.time())

    async def _take_together(self, requests: Sequence[Counts]) -> Sequence[float]:
        """For each request the time at which its first full count is not full any more, or 0 if none is full."""
        try:
            storage = await self._storage()
            async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
                return await asyncio.gather(*map(storage.reset_time, await storage.take(requests)))
        except (StorageError, *REDIS_ERRORS) as error:
            log.warning("rate limits: Redis unavailable (%s); each process counts in memory", type(error).__name__)
            self._paused_until = time.monotonic() + REDIS_PAUSE_SECONDS
            self._connected = False
            return await self._take_together(requests)

    async def _storage(self) -> CountStorage:
        if time.monotonic() < self._paused_until or not self._parley.hints.flowing:
            return self._memory
        if not self._connected:
            await self._connect()
        return self._redis or self._memory

    async def _connect(self) -> None:
        async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
            url = await self._parley.redis_url()
        if url and url != self._redis_at:
            async with self._parley.reading() as reading:
                epoch, _ = await read_heads(reading, [])
            await self._exit.aclose()  # the connections to the previous address
            self._redis, self._redis_at = self._open(url, f"{self._parley.settings.redis_channel_name} {epoch}"), url
        self._connected = True

    def _open(self, url: str, prefix: str) -> CountStorage:
        """The counts of this database in Redis. Another database on the same Redis has another prefix."""
        options: dict[str, Any] = {"implementation": "redispy", "wrap_exceptions": True, "key_prefix": prefix}
        cluster = parse_url(self._parley.settings.redis_url)
        storage: RedisStorage
        if cluster.kind == "cluster":
            nodes = ",".join(cluster.nodes)
            storage = RedisClusterStorage(
                f"async+redis+cluster://{nodes}", **options, **cluster_options(cluster, REDIS_TIMEOUT_SECONDS)
            )
        else:
            scheme, _, rest = url.partition("://")
            storage = RedisStorage(
                f"async+{'redis+unix' if scheme == 'unix' else scheme}://{rest}",
                socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
                socket_timeout=REDIS_TIMEOUT_SECONDS,
                **options,
            )
        self._exit.push_async_callback(cast(Any, storage.bridge).get_connection().aclose)
        return CountStorage(storage) if cluster.kind == "cluster" else OneRedis(storage)


async def take(request: Request, limit: Limit, cost: int = 1) -> None:
    """Count `cost` requests for the request's address. Do this before expensive work. Raises TooMany."""
    await _limits_of(request).take(request, limit, cost)


def queue_key_of(request: Request) -> str | None:
    """See `Limits.queue_key_of`."""
    return _limits_of(request).queue_key_of(request.scope)


async def take_for(request: Request, limit: Limit, account: str) -> None:
    """Count a request for this account, or for the fingerprint of an e-mail address. Raises TooMany."""
    await _limits_of(request).take_for(limit, account)


async def take_own(request: Request, limit: Limit) -> None:
    """Count a request for the request's address and for its signed-in account. Raises TooMany."""
    viewer = await current_viewer(request)
    await _limits_of(request).take(request, limit, account=str(viewer.user_id))


class LimitReadsMiddleware:
    """Counts reads by network, and sets the network as the key for the queue of password hashes."""

    def __init__(self, app: ASGIApp, limits: Limits, refuse: Callable[[Request, TooMany], Awaitable[Response]]) -> None:
        self.app = app
        self.limits = limits
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            networks = self.limits.networks_of(scope)
            queue_key.set(self.limits.queue_key_of(scope))
            if scope["method"] in ("GET", "HEAD") and not _is_free(scope["path"]):
                try:
                    self.limits.take_read(networks)
                except TooMany as refusal:
                    response = await self.refuse(Request(scope, receive), refusal)
                    await response(scope, receive, send)
                    return
        await self.app(scope, receive, send)


def _is_free(path: str) -> bool:
    return path in FREE_READS or path.startswith(FREE_FOLDERS)


def _limits_of(request: Request) -> Limits:
    limits: Limits = request.app.state.limits
    return limits


@lru_cache(1_000)
def _times(item: RateLimitItem, times: int) -> RateLimitItem:
    """The limit with this many times its amount."""
    return item if times == 1 else type(item)(item.amount * times, item.multiples, item.namespace)
