"""The rows of a comment, stored by hand on the driver alone. No service can write these rows with less work.

A comment is two counters, the comment, and the commentable's number of comments, in one transaction. A reply that
notifies people also takes the counters of their accounts, and stores their notifications.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import make_url

from app.commentables.commentables import id_of
from app.live.topics import Topic
from bench.servers import BODY

TAKE = (
    "INSERT INTO topics (name, seq) VALUES {} ON CONFLICT (name) DO UPDATE SET seq = topics.seq + 1 RETURNING name, seq"
)
STORE = (
    "INSERT INTO comments (id, topic, seq, created_seq, content_seq, user_id, username, body, likes_count, parent_id,"
    " path, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 'Bench', ?, 0, ?, ?, ?, ?)"
)
COUNT = "UPDATE commentables SET comments_count = comments_count + 1, seq = ? WHERE id = ?"
NOTIFY = (
    "INSERT INTO notifications (id, topic, seq, created_seq, user_id, kind, comment_id, place, actor_id, actor_name,"
    " created_at) VALUES {}"
)
NOTIFICATION = "(?, ?, ?, ?, ?, 'mention', ?, ?, ?, 'Bench', ?)"

# `Begin` opens one transaction on a connection of the driver. `Execute` runs a statement and returns its rows.
Execute = Callable[..., Awaitable[Any]]
Begin = Callable[[], AbstractAsyncContextManager[Execute]]


async def store(
    begin: Begin, author: uuid.UUID, topic: Topic, parent: uuid.UUID | None = None, notified: Sequence[uuid.UUID] = ()
) -> uuid.UUID:
    """Store one comment, and return its id."""
    accounts = {id: str(Topic.account(id)) for id in notified}
    names = sorted([str(topic), str(topic.about), *accounts.values()])
    id, now = uuid.uuid4(), datetime.now(UTC)
    async with begin() as execute:
        seqs = {row[0]: row[1] for row in await execute(TAKE.format(_times("(?, 1)", len(names))), *names)}
        seq = seqs[str(topic)]
        path = str(parent or "")
        await execute(STORE, id, str(topic), seq, seq, seq, author, BODY, parent, path, now, now)
        if notified:
            values = [
                (uuid.uuid4(), name, seqs[name], seqs[name], person, id, str(topic), author, now)
                for person, name in accounts.items()
            ]
            await execute(NOTIFY.format(_times(NOTIFICATION, len(values))), *itertools.chain(*values))
        await execute(COUNT, seqs[str(topic.about)], id_of(topic))
    return id


def _times(row: str, times: int) -> str:
    return ", ".join([row] * times)


def connected(url: str, connections: int) -> AbstractAsyncContextManager[Begin]:
    return _postgres(url, connections) if url.startswith("postgresql") else _sqlite(url)


@asynccontextmanager
async def _postgres(url: str, connections: int) -> AsyncIterator[Begin]:
    parts = make_url(url)
    where = {"user": parts.username, "database": parts.database, "host": parts.query["host"]}
    async with asyncpg.create_pool(**where, min_size=connections, max_size=connections) as pool:

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
