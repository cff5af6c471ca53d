"""Redis: alone, over TLS, under Sentinel or in a cluster. `app.live.pubsub` sends and receives.

1. No retries of the library's own, ever. A break comes up to whoever holds the connection, and who connects anew asks
   first where Redis is now: that is how a failover is followed.
2. Whatever the kind, what is held is a plain connection to one server: the master that Sentinel names, or any node of
   a cluster, since a cluster passes on to every node what is published at one. So what is true of one server's
   subscription (each one anew is a doubt, silence is a break) is true of every kind's.
3. A node is asked which others there are before it is chosen, which is a sign of life, too: a cluster names its dead
   for a while. redis-py's own client of a cluster does not begin where the first of its nodes is dead.
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

ASKING = 1.0  # seconds for a sentinel or a node to say where Redis is

# RuntimeError is uvloop's word for a connection that the other side has just closed.
Trouble = (RedisError, RedisClusterException, OSError, TimeoutError, EOFError, RuntimeError)

Client = Redis
Host = tuple[str, int]


def client(url: str, patience: float) -> Client:
    """A client of the server at this URL, which gives up after so many seconds, and at once where it is refused (1)."""
    return Redis.from_url(url, **_options(patience))


class Whereabouts(Protocol):
    """Where the server is."""

    async def ensure(self) -> str | None:
        """The URL of the server to connect to now, None where there is none. Raises one of `Trouble`."""


def whereabouts(url: str) -> Whereabouts:
    parsed = parse(url)
    if parsed.kind == "sentinel":
        return Master(parsed)
    if parsed.kind == "cluster":
        return AnyNode(parsed)
    # With what it leaves out: some who read it do not know which port that is.
    return Fixed(parsed.of(*parsed.hosts[0]) if parsed.hosts else url)


class Fixed:
    def __init__(self, url: str) -> None:
        self._url = url

    async def ensure(self) -> str:
        return self._url


class Master:
    """The one that the sentinels name."""

    def __init__(self, url: RedisUrl) -> None:
        self._url = url

    async def ensure(self) -> str:
        options = _keywords(self._url.of_sentinel("localhost", 0), ASKING)
        async with Sentinel(_shuffled(self._url.hosts), sentinel_kwargs=options) as sentinel:  # type: ignore[no-untyped-call]
            host, port = await sentinel.discover_master(self._url.service)
        return self._url.of(host, port)


class AnyNode:
    """A node of the cluster that gives a sign of life (3): one that was named, or one that those know of."""

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        self._known: Sequence[Host] = ()

    async def ensure(self) -> str:
        for host in dict.fromkeys([*_shuffled(self._known), *_shuffled(self._url.hosts)]):
            url = self._url.of(*host)
            with suppress(*Trouble):
                async with client(url, ASKING) as redis:
                    self._known = _nodes_in(await redis.cluster("SLOTS")) or self._known
                return url
        raise ConnectionError("no node of the cluster answers")


def _nodes_in(slots: Sequence[Any]) -> list[Host]:
    nodes = [node for _first, _last, *of_shard in slots for node in of_shard]
    return [(node[0].decode(), node[1]) for node in nodes if node[0]]  # it may not know under which name it is reached


def of_every_node(url: RedisUrl, patience: float) -> dict[str, Any]:
    """What whoever makes a client of the whole cluster gives it: login, TLS, and how long it waits."""
    return _keywords(url.of("localhost", 0), patience)


def _options(patience: float) -> dict[str, Any]:
    return {"retry": Retry(NoBackoff(), 0), "socket_connect_timeout": patience, "socket_timeout": patience}


def _keywords(url: str, patience: float) -> dict[str, Any]:
    """What this URL says, but for the place, for those that take no URL: to them TLS is a word, and no class."""
    said = parse_url(url)
    of_place = {"host", "port", "db", "connection_class"}
    kept = {name: value for name, value in said.items() if name not in of_place}
    return {**kept, **_options(patience), "ssl": "connection_class" in said}


def _shuffled(hosts: Sequence[Host]) -> list[Host]:
    """So that processes spread over them."""
    return random.sample(hosts, len(hosts))
