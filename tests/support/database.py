"""Reads and writes of the database beside the site that a test serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update

from app.comments.comments import Comment
from app.database import Base
from app.live.service import Parley
from app.live.topics import Topic
from app.live.write.sequences import Counter, Epoch


async def bump_seq(parley: Parley, comment: dict[str, Any]) -> None:
    """Move the comment's seq without changing its content, as a like does."""
    async with parley.writing(topic_of(comment)) as write:
        if row := await write.get(Comment, UUID(comment["id"])):
            row.likes_count += 1
            write.update(row)


async def set_epoch(parley: Parley, value: str) -> None:
    """Change the epoch, as `parley restored` does."""
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(Epoch).values(value=value))


async def read_seq(parley: Parley, topic: str = "Article/1") -> int | None:
    """A topic's counter, or None if nobody has ever written there."""
    async with parley.reading() as reading:
        return await reading.scalar(select(Counter.seq).where(Counter.name == topic))


async def count_rows(parley: Parley) -> dict[str, int]:
    """The number of rows of each table, tombstones included."""
    async with parley.reading() as reading:
        return {
            table.name: await reading.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


async def count_comments(parley: Parley) -> int:
    return (await count_rows(parley))["comments"]


def topic_of(comment: dict[str, Any]) -> Topic:
    return Topic(comment["commentable_type"], comment["commentable_id"])


async def write_comments(parley: Parley, like_this: dict[str, Any], bodies: Sequence[str]) -> list[dict[str, Any]]:
    """Write comments with these texts by the author and on the topic of `like_this`, in one transaction."""
    async with parley.writing(topic_of(like_this)) as write:
        stored = await write.get(Comment, UUID(like_this["id"]))
        assert stored
        same = {name: getattr(stored, name) for name in ("topic", "user_id", "username", "created_at", "updated_at")}
        comments = [Comment(id=uuid4(), body=body, likes_count=0, **same) for body in bodies]
        for comment in comments:
            write.create(comment)
            comment.content_seq = comment.seq
        return [{"id": str(comment.id), "body": comment.body, "created_seq": comment.seq} for comment in comments]
