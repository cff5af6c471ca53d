"""Fill a database with threads of comments, written as rows. The measurements follow through the app."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from app.accounts.user import User
from app.commentables.commentables import Commentable, id_of
from app.comments.comments import Comment
from app.database import Database
from app.live.topics import Topic
from app.live.write.sequences import Counter
from bench import servers
from bench.servers import BODY

ROWS_PER_TRANSACTION = 5_000
FILL = """
import asyncio, sys
from app.live.topics import Topic
from bench.filling import fill
url, topics, comments = sys.argv[1:]
asyncio.run(fill(url, [Topic("Article", str(number)) for number in range(int(topics))], int(comments)))
"""


async def fill(database_url: str, topics: Iterable[Topic], comments: int) -> UUID:
    """Store so many comments in each of these topics, all by one author. Returns the id of the author."""
    database = Database(database_url)
    author, rows = uuid4(), []
    try:
        await store(database, User, [user_row(author)])
        for topic in topics:
            await store(database, Counter, [_counter(topic, comments), _counter(topic.about, 1)])
            await store(database, Commentable, [_commentable(topic, comments)])
            rows += [_comment(topic, seq, author) for seq in range(1, comments + 1)]
            if len(rows) >= ROWS_PER_TRANSACTION:
                await store(database, Comment, rows)
                rows = []
        await store(database, Comment, rows)
    finally:
        await database.close()
    return author


async def fill_with(checkout: Path, database_url: str, topics: int, comments: int) -> None:
    """Run `fill` of a checkout, whose tables may differ from ours, for `Article/0`, `Article/1` …"""
    process = await asyncio.create_subprocess_exec(
        servers.python_of(checkout), "-c", FILL, database_url, str(topics), str(comments), cwd=checkout
    )
    assert await process.wait() == 0, f"{checkout} could not fill {database_url}"


async def store(database: Database, model: Any, rows: list[dict[str, Any]]) -> None:
    """Store these rows in several transactions."""
    for at in range(0, len(rows), ROWS_PER_TRANSACTION):
        async with database.transaction() as writing:
            await writing.execute(insert(model), rows[at : at + ROWS_PER_TRANSACTION])
            await writing.commit()


def user_row(id: UUID) -> dict[str, Any]:
    """A row of `users` that nobody can sign in to."""
    name = f"Filler {id.hex[:8]}"
    return {
        "id": id, "topic": str(Topic.account(id)), "seq": 1, "created_seq": 1, "email": f"{id.hex}@example.com",
        "username": name, "username_key": name.lower().replace(" ", ""), "password_hash": "none",
        "created_at": datetime.now(UTC), "role": "member",
    }  # fmt: skip


def _counter(topic: Topic, seq: int) -> dict[str, Any]:
    return {"name": str(topic), "seq": seq}


def _commentable(topic: Topic, comments: int) -> dict[str, Any]:
    return {
        "id": id_of(topic), "topic": str(topic.about), "seq": 1, "created_seq": 1, "title": "", "locked": False,
        "comments_count": comments,
    }  # fmt: skip


def _comment(topic: Topic, seq: int, author: UUID) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": uuid4(), "topic": str(topic), "seq": seq, "created_seq": seq, "content_seq": seq, "user_id": author,
        "username": "Filler", "body": BODY, "likes_count": 0, "path": [], "created_at": now, "updated_at": now,
    }  # fmt: skip
