"""Writes: comments per second, their latency, and the server's CPU time, beside the bare rows (`bench.bare_rows`).

1. `post`: a comment. `post, reads`: the same, while a guest requests the first topic's comments every 30 ms. `reply`:
   a reply that notifies two people, its parent's author and somebody whom it mentions.
2. Each of 16 writers is a signed-in person with an address and a browser of their own, and sends one request at a time.
   Every text is new, and one in four has some Markdown.
3. Rate limits are on. Before each turn the counts in Redis are deleted and the stored notifications are made older, so
   that no writer reaches a limit. A turn of replies ends before a writer has notified one person too often.
4. Everything is measured in turns on the same machine. With `--before`, another checkout takes turns, too.
5. No commit waits for a disk (PostgreSQL with `synchronous_commit = off`, SQLite with `synchronous = NORMAL`), so that
   the numbers show CPU work. CPU time is that of the server's processes and of its Redis, without PostgreSQL.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from app.live.topics import Topic
from app.notifications.notifications import LIMIT_WINDOW, MAX_FROM_ONE_TO_ONE
from bench import bare_rows, servers
from bench.bare_rows import Begin
from bench.browser import request_headers
from bench.filling import fill
from bench.measure import cpu, median, percentile
from bench.poster import Poster
from bench.servers import Account, Server

WRITERS = 16
TURN_SECONDS = 2.0
TOPICS = (1, 200)
GET_INTERVAL_SECONDS = 0.03
REQUESTS = ("post", "post, reads", "reply")
ROWS = "rows"  # the name of the bare rows among the contestants

Write = Callable[[int, Topic], Awaitable[object]]  # (number of the writer, topic)


@dataclass
class Turn:
    """What one contestant did in one turn. Times are in seconds."""

    waits: list[float] = field(default_factory=list)
    get_waits: list[float] = field(default_factory=list)
    took: float = 0
    cpu: float | None = None


class Site:
    """A running checkout with its signed-in writers."""

    def __init__(self, server: Server, begin: Begin) -> None:
        self.server = server
        self._begin = begin
        self._numbers = itertools.count()
        self._parents: dict[Topic, str] = {}  # a comment by somebody who is not a writer

    async def open(self, stack: AsyncExitStack) -> None:
        port = self.server.port

        async def person(headers: dict[str, str], address: str) -> Poster:
            return await stack.enter_async_context(Poster(port, {**headers, "X-Forwarded-For": address}))

        def accounts(kind: str) -> list[Awaitable[Account]]:
            return [servers.sign_up(port, f"{kind}{number}") for number in range(WRITERS)]

        writers, others = await asyncio.gather(*accounts("Author")), await asyncio.gather(*accounts("Other"))
        self._names = [account.name for account in writers]
        self._writers = [await person(each.headers(port), f"192.0.2.{at}") for at, each in enumerate(writers)]
        self._others = [await person(each.headers(port), f"198.51.100.{at}") for at, each in enumerate(others)]
        self._guest = await person(request_headers(port), "203.0.113.1")

    async def forget_limits(self) -> None:
        assert self.server.redis
        async with Redis.from_url(self.server.redis.url) as redis:
            await redis.flushdb()
        async with self._begin() as execute:
            await execute("UPDATE notifications SET created_at = ?", datetime.now(UTC) - 2 * LIMIT_WINDOW)

    async def start(self, topic: Topic) -> None:
        """Write the first comment of this topic, to which the writers reply."""
        author = self._others[len(self._parents) % WRITERS]
        self._parents[topic] = json.loads(await author.post("/api/comments/", servers.comment(topic.id)))["id"]

    async def post(self, number: int, topic: Topic) -> None:
        count = next(self._numbers)
        marked = f"*{count}* and https://example.com/{count}" if count % 4 == 0 else ""
        await self._writers[number].post("/api/comments/", servers.comment(topic.id, marked))

    async def reply(self, number: int, topic: Topic) -> None:
        mention = f"@{self._names[(number + 1) % WRITERS]}"
        body = servers.comment(topic.id, mention, self._parents[topic])
        await self._writers[number].post("/api/comments/", body)

    async def read_until(self, done: asyncio.Event, topic: Topic) -> list[float]:
        """Request the comments of this topic in a loop. Returns the times that it took."""
        waits = []
        path = f"/api/comments/?commentable_type={topic.type}&commentable_id={topic.id}"
        while not done.is_set():
            began = time.monotonic()
            await self._guest.get(path)
            waits.append(time.monotonic() - began)
            await asyncio.sleep(max(0, began + GET_INTERVAL_SECONDS - time.monotonic()))
        return waits


async def run(rounds: int, before: Path | None = None, log: Any = print) -> dict[str, Any]:
    found = []
    for kind in servers.DATABASES:
        async with AsyncExitStack() as stack:
            sites = {name: await _site(stack, kind, place) for name, place in servers.checkouts(before).items()}
            rows_url = await stack.enter_async_context(servers.data(kind))
            rows = await stack.enter_async_context(bare_rows.connected(rows_url, WRITERS))
            for count in TOPICS:
                topics = [Topic("Article", f"{count}.{number}") for number in range(count)]
                for site in sites.values():
                    await site.forget_limits()
                    for topic in topics:
                        await site.start(topic)
                writes = await _bare_writes(rows_url, rows, topics)
                requests = await _measure(sites, writes, topics, rounds)
                found.append({"database": kind, "topics": count, "requests": requests})
                for request, figures in requests.items():
                    log(f"writes: {kind}, {count} topics, {request}: {figures}")
    return {"at_once": WRITERS, "seconds": TURN_SECONDS, "rounds": rounds, "ways": found}


async def _site(stack: AsyncExitStack, kind: str, checkout: Path) -> Site:
    url = await stack.enter_async_context(servers.data(kind, checkout))
    environment = {"RATE_LIMITS": "on"}
    server = await stack.enter_async_context(servers.parley(url, environment=environment, checkout=checkout))
    site = Site(server, await stack.enter_async_context(bare_rows.connected(url, 1)))
    await site.open(stack)
    return site


async def _bare_writes(url: str, begin: Begin, topics: Sequence[Topic]) -> dict[str, Write]:
    """The writes of bare rows by request."""
    author = await fill(url, topics, 1)
    people = [uuid.uuid4() for _ in range(2 * WRITERS)]
    parents = {topic: await bare_rows.store(begin, author, topic) for topic in topics}
    places = {topic: place for place, topic in enumerate(topics)}

    async def reply(number: int, topic: Topic) -> None:
        notified = people[(number + 1) % WRITERS], people[WRITERS + places[topic] % WRITERS]
        await bare_rows.store(begin, author, topic, parents[topic], notified)

    return {"post": lambda _, topic: bare_rows.store(begin, author, topic), "reply": reply}


async def _measure(
    sites: dict[str, Site], bare_writes: dict[str, Write], topics: Sequence[Topic], rounds: int
) -> dict[str, Any]:
    """The figures of each contestant by request."""
    turns: dict[str, dict[str, list[Turn]]] = defaultdict(lambda: defaultdict(list))
    for _, request in itertools.product(range(rounds), REQUESTS):
        for name, site in sites.items():
            turns[request][name].append(await _turn_of(site, request, topics))
        if request in bare_writes:
            turns[request][ROWS].append(await _turn(bare_writes[request], topics))
    return {request: {name: _figures(all) for name, all in of.items()} for request, of in turns.items()}


async def _turn_of(site: Site, request: str, topics: Sequence[Topic]) -> Turn:
    await site.forget_limits()
    if request == "post, reads":
        return await _turn_with_reads(site, topics)
    pids = site.server.pids()
    used = cpu(pids)
    turn = await (_turn(site.reply, topics, MAX_FROM_ONE_TO_ONE) if request == "reply" else _turn(site.post, topics))
    turn.cpu = cpu(pids) - used
    return turn


async def _turn_with_reads(site: Site, topics: Sequence[Topic]) -> Turn:
    """The CPU time is not recorded, because it includes that of the reads."""
    done = asyncio.Event()
    reading = asyncio.create_task(site.read_until(done, topics[0]))
    turn = await _turn(site.post, topics)
    done.set()
    turn.get_waits = await reading
    return turn


async def _turn(write: Write, topics: Sequence[Topic], most: float = float("inf")) -> Turn:
    """All writers write at the same time, until the time is over or one of them has written `most` comments."""
    turn, turns, began = Turn(), itertools.cycle(topics), time.monotonic()
    ends = began + TURN_SECONDS

    async def keep_writing(number: int) -> None:
        nonlocal ends
        count = 0
        while (sent := time.monotonic()) < ends:
            await write(number, next(turns))
            turn.waits.append(time.monotonic() - sent)
            count += 1
            if count == most:
                ends = 0

    await asyncio.gather(*map(keep_writing, range(WRITERS)))
    turn.took = time.monotonic() - began
    return turn


def _figures(turns: Sequence[Turn]) -> dict[str, float]:
    found = {"per_second": median(len(turn.waits) / turn.took for turn in turns)}
    for name in ("waits", "get_waits"):
        if waits := list(itertools.chain(*(getattr(turn, name) for turn in turns))):
            found |= {f"{name}_p{at}_ms": percentile(waits, at) * 1e3 for at in (50, 99)}
    if costs := [turn.cpu / len(turn.waits) for turn in turns if turn.cpu is not None]:
        found["cpu_ms"] = median(costs) * 1e3
    return found
