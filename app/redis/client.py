"""Connections to Redis: one server, with or without TLS, Sentinel, or a cluster. `app.live.pubsub` uses them.

1. redis-py never retries here. A failure reaches the code that holds the connection, and that code looks up the server
   again before it reconnects. So it follows a failover.
2. For every kind of Redis, Parley holds plain connections to one server: the master that Sentinel names, or any node of
   a cluster, because a cluster sends a published message to all its nodes. So one rule holds for all kinds: hints may
   have been lost before each new subscription, and silence is a failure.
3. A node is used only after it has listed the nodes of the cluster, which also shows that it is alive: a cluster lists
   dead nodes for a while. redis-py's own cluster client does not start if the first node is dead.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from redis.asyncio import Redis, Sentinel
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from app.redis.urls import RedisUrl, parse

LOOKUP_TIMEOUT_SECONDS = 1.0  # for a sentinel or a node to name the server

# uvloop raises RuntimeError for a connection that the other side has just closed.
REDIS_ERRORS = (RedisError, RedisClusterException, OSError, TimeoutError, EOFError, RuntimeError)

Client = Redis
Host = tuple[str, int]


def client(url: str, timeout_seconds: float) -> Client:
    """A client of the server at this URL. It never retries (1)."""
    return Redis.from_url(url, **_options(timeout_seconds))


class Locator(Protocol):
    """Finds the server to connect to."""

    async def ensure(self) -> str | None:
        """The URL of a server, or None if there is no Redis on this machine. Raises one of `REDIS_ERRORS`."""


def locator(url: str) -> Locator:
    parsed = parse(url)
    if parsed.kind == "sentinel":
        return Master(parsed)
    if parsed.kind == "cluster":
        return AnyNode(parsed)
    # The `limits` library does not know the default port, so the URL gets one.
    return Fixed(parsed.url_of(*parsed.hosts[0]) if parsed.hosts else url)


class Fixed:
    """One server, always at the same URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def ensure(self) -> str:
        return self._url


class Master:
    """The master that the sentinels name."""

    def __init__(self, url: RedisUrl) -> None:
        self._url = url

    async def ensure(self) -> str:
        options = _keywords(self._url.url_of_sentinel("localhost", 0), LOOKUP_TIMEOUT_SECONDS)
        async with Sentinel(_shuffled(self._url.hosts), sentinel_kwargs=options) as sentinel:  # type: ignore[no-untyped-call]
            host, port = await sentinel.discover_master(self._url.service)
        return self._url.url_of(host, port)


class AnyNode:
    """A node of the cluster that responds (3): one of the last known nodes, or one of those in REDIS_URL."""

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        self._known: Sequence[Host] = ()

    async def ensure(self) -> str:
        for host in dict.fromkeys([*_shuffled(self._known), *_shuffled(self._url.hosts)]):
            url = self._url.url_of(*host)
            with suppress(*REDIS_ERRORS):
                async with client(url, LOOKUP_TIMEOUT_SECONDS) as redis:
                    self._known = _nodes_in(await redis.cluster("SLOTS")) or self._known
                return url
        raise ConnectionError("no node of the cluster answers")


def _nodes_in(slots: Sequence[Any]) -> list[Host]:
    nodes = [node for _first, _last, *of_shard in slots for node in of_shard]
    return [(node[0].decode(), node[1]) for node in nodes if node[0]]  # a node may not know its own name


def cluster_options(url: RedisUrl, timeout_seconds: float) -> dict[str, Any]:
    """Arguments for a client of the whole cluster: login, TLS and timeouts."""
    return _keywords(url.url_of("localhost", 0), timeout_seconds)


def _options(timeout_seconds: float) -> dict[str, Any]:
    retry = Retry(NoBackoff(), 0)
    return {"retry": retry, "socket_connect_timeout": timeout_seconds, "socket_timeout": timeout_seconds}


def _keywords(url: str, timeout_seconds: float) -> dict[str, Any]:
    """The login and TLS of this URL, as arguments for clients that take no URL."""
    parsed = parse_url(url)
    address = {"host", "port", "db", "connection_class"}
    kept = {name: value for name, value in parsed.items() if name not in address}
    return {**kept, **_options(timeout_seconds), "ssl": "connection_class" in parsed}


def _shuffled(hosts: Sequence[Host]) -> list[Host]:
    """In random order, so that the processes spread over the hosts."""
    return random.sample(hosts, len(hosts))
