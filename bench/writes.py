"""Writes: comments per second, in one topic and in many, from HTTP down to the bare rows.

Each step omits one part of the step before, so that the differences are the costs of the parts:

    http         POST /api/comments/ at the running app, over kept connections
    model        `comments.post` in a process without HTTP: no parsing, no cookie, no login
    statements   the statements that `post` sends, written by hand, on the driver alone: no ORM, no hint
    rows         only the statements that store the same rows: two counters, the comment, the commentable's count
    one counter  `rows` without the commentable and its counter, which shows the cost of the second counter

All steps have the same number of concurrent writers, and run in turn on the same servers. No commit waits for a disk
(PostgreSQL with `synchronous_commit = off`, SQLite with `synchronous = NORMAL`), so that the numbers show CPU work.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import make_url

from app.accounts import accounts
from app.commentables.commentables import id_of
from app.comments import comments
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.models import LIVE_MODELS
from app.settings import Settings
from bench import servers
from bench.measure import median
from bench.poster import Poster
from bench.servers import BODY

WRITERS = 16
TURN_SECONDS = 1.5
MANY_TOPICS = 200

Write = Callable[[int, Topic], Awaitable[None]]  # (number of the writer, topic)


@dataclass
class Way:
    name: str
    write: Write


async def run(rounds: int, log: Any = print) -> dict[str, Any]:
    found = []
    for kind in servers.DATABASES:
        async with AsyncExitStack() as stack:
            ways = await _ways(stack, kind)
            for topics in (1, MANY_TOPICS):
                rates = await _take_turns(ways, topics, rounds)
                found.append({"database": kind, "topics": topics, **rates})
                summary = ", ".join(f"{name} {rate:.0f}" for name, rate in rates["per_second"].items())
                log(f"writes: {kind}, {topics} topics: {summary}")
    return {"at_once": WRITERS, "seconds": TURN_SECONDS, "rounds": rounds, "ways": found}


async def _take_turns(ways: list[Way], topics: int, rounds: int) -> dict[str, Any]:
    rates: dict[str, list[float]] = defaultdict(list)
    places = [Topic("Article", f"{topics}.{number}") for number in range(topics)]
    for place in places:  # create the rows of each topic before the measurement
        await ways[1].write(0, place)
    for _ in range(rounds):
        for way in ways:
            rates[way.name].append(await _rate(way, places))
    return {"per_second": {name: median(all) for name, all in rates.items()}, "rounds_per_second": rates}


async def _rate(way: Way, places: list[Topic]) -> float:
    """Commits per second."""
    done, turns = 0, itertools.cycle(places)
    began = time.monotonic()
    ends = began + TURN_SECONDS

    async def keep_writing(number: int) -> None:
        nonlocal done
        while time.monotonic() < ends:
            await way.write(number, next(turns))
            done += 1

    await asyncio.gather(*(keep_writing(number) for number in range(WRITERS)))
    return done / (time.monotonic() - began)


# -- the ways ------------------------------------------------------------------------------------------------


async def _ways(stack: AsyncExitStack, kind: str) -> list[Way]:
    url = await stack.enter_async_context(servers.data(kind))
    server = await stack.enter_async_context(servers.parley(url))
    posters = [await stack.enter_async_context(Poster(server.port)) for _ in range(WRITERS)]
    for poster in posters:
        poster.cookies = server.posters[0].cookies

    async def over_http(number: int, topic: Topic) -> None:
        await posters[number].post("/api/comments/", servers.comment(topic.id))

    redis = await stack.enter_async_context(servers.redis())
    settings = Settings(_env_file=None, database_url=url, redis_url=redis.url)
    parley = await stack.enter_async_context(Parley(settings, LIVE_MODELS, listening=False))
    user = await accounts.create_account(parley, "bench@example.com", "Bench", "talk among friends")
    author = Viewer(user.id, user.username)

    async def by_the_model(number: int, topic: Topic) -> None:
        await comments.post(parley, author, topic, BODY, uuid.uuid4())

    bare = await stack.enter_async_context((_postgres if kind == "postgresql" else _sqlite)(url))

    def over_the_driver(reading: bool, counters: int = 2) -> Write:
        return lambda number, topic: store(bare, author, topic, reading, counters)

    return [
        Way("http", over_http),
        Way("model", by_the_model),
        Way("statements", over_the_driver(reading=True)),
        Way("rows", over_the_driver(reading=False)),
        Way("one counter", over_the_driver(reading=False, counters=1)),
    ]


# -- the bare rows -------------------------------------------------------------------------------------------

TAKE = (
    "INSERT INTO topics (name, seq) VALUES {} ON CONFLICT (name) DO UPDATE SET seq = topics.seq + 1 RETURNING name, seq"
)
STORE = (
    "INSERT INTO comments (id, topic, seq, created_seq, content_seq, user_id, username, body, likes_count, path,"
    " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 'Bench', ?, 0, '', ?, ?)"
)
COUNT = "UPDATE commentables SET comments_count = comments_count + 1, seq = ? WHERE id = ?"
FIND_COMMENT = "SELECT * FROM comments WHERE id = ?"
FIND_LOCKED = "SELECT locked FROM commentables WHERE id = ?"
FIND_COMMENTABLE = "SELECT * FROM commentables WHERE id IN (?)"
FIND_USER = "SELECT * FROM users WHERE id = ?"

# `Begin` opens one transaction on a connection of the driver. `Execute` runs a statement and returns its rows.
Execute = Callable[..., Awaitable[Any]]
Begin = Callable[[], AbstractAsyncContextManager[Execute]]


async def store(begin: Begin, author: Viewer, topic: Topic, reading: bool, counters: int) -> None:
    """Store one comment as rows. `reading`: also run the queries of `post`."""
    names = [str(topic), str(topic.about)][:counters]  # sorted, as `post` locks them
    id, place, now = uuid.uuid4(), id_of(topic), datetime.now(UTC)
    async with begin() as execute:
        seqs = {row[0]: row[1] for row in await execute(TAKE.format(", ".join(["(?, 1)"] * counters)), *names)}
        seq = seqs[str(topic)]
        if reading:
            await execute(FIND_COMMENT, id)
            await execute(FIND_LOCKED, place)
        await execute(STORE, id, str(topic), seq, seq, seq, author.user_id, BODY, now, now)
        if reading:
            await execute(FIND_USER, author.user_id)
            await execute(FIND_COMMENTABLE, place)
        if counters == 2:
            await execute(COUNT, seqs[str(topic.about)], place)


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[Begin]:
    parts = make_url(url)
    where = {"user": parts.username, "database": parts.database, "host": parts.query["host"]}
    async with asyncpg.create_pool(**where, min_size=WRITERS, max_size=WRITERS) as pool:

        @asynccontextmanager
        async def begin() -> AsyncIterator[Execute]:
            async with pool.acquire() as connection, connection.transaction():
                yield lambda text, *values: connection.fetch(_numbered(text), *values)

        yield begin


@cache
def _numbered(text: str) -> str:
    """Replace `?` by PostgreSQL's `$1`, `$2` …"""
    number = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(number)}", text)


@asynccontextmanager
async def _sqlite(url: str) -> AsyncIterator[Begin]:
    """One connection, because SQLite allows one writer at a time."""
    async with aiosqlite.connect(make_url(url).database or "", isolation_level=None, timeout=30) as connection:
        await connection.execute("PRAGMA synchronous=NORMAL")
        turn = asyncio.Lock()

        async def execute(text: str, *values: Any) -> Any:
            return await connection.execute_fetchall(text, [_as_text(value) for value in values])

        @asynccontextmanager
        async def begin() -> AsyncIterator[Execute]:
            async with turn:
                await connection.execute("BEGIN IMMEDIATE")
                yield execute
                await connection.execute("COMMIT")

        yield begin


def _as_text(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value
