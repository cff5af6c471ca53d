"""Threads: reading what is said under a commentable, page by page, each with the comments above its own.

A page is a window: some of the comments in the order in which they were made, with what this viewer may see. Beside it
stand the *ancestors* that they are drawn under and that are not in it; of one that is gone, what is left to say of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from app.database import Reading
from app.live.counters import read_heads
from app.live.cursors import write_cursor
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.models import commentable as commentables
from app.models.comment import Comment
from app.models.commentable import Commentable

PAGE = 50  # comments
LARGEST_PAGE = 100


@dataclass(frozen=True)
class Page:
    """A snapshot of a topic's newest comments, or of those before some seq, and the cursor that goes with it."""

    topic: Topic
    seq: int
    cursor: str
    comments: list[Comment]
    ancestors: list[Comment]
    before: int | None  # what to ask for next, None at the beginning
    commentable: Commentable
    commentable_cursor: str  # of its own topic


async def page(reading: Reading, viewer: Viewer, topic: Topic, before: int | None = None, limit: int = PAGE) -> Page:
    """The counters first, then the rows: what comes between the two is in both the page and the stream."""
    epoch, heads = await read_heads(reading, [topic, topic.about])
    query = _shown_to(viewer, topic)
    if before is not None:
        query = query.where(Comment.created_seq < before)
    newest = query.order_by(Comment.created_seq.desc()).limit(limit + 1)
    comments = list((await reading.scalars(newest)).all())
    more = len(comments) > limit
    comments = comments[:limit][::-1]
    return Page(
        topic,
        heads[topic],
        write_cursor(epoch, {topic: heads[topic]}),
        comments,
        await ancestors_of(reading, comments),
        before=comments[0].created_seq if more else None,
        commentable=(await commentables.of(reading, [topic]))[topic],
        commentable_cursor=write_cursor(epoch, {topic.about: heads[topic.about]}),
    )


async def ancestors_of(reading: Reading, comments: Iterable[Comment]) -> list[Comment]:
    """The comments above these that are not among them, tombstones too, in order of creation."""
    here = list(comments)
    missing = {UUID(id_) for comment in here for id_ in comment.path} - {comment.id for comment in here}
    if not missing:
        return []
    found = select(Comment).where(Comment.id.in_(missing)).order_by(Comment.created_seq)
    return list((await reading.scalars(found)).all())


def _shown_to(viewer: Viewer, topic: Topic) -> Select[Any]:
    """As `app.live.model` has it in `visible`, for the database."""
    query = select(Comment).where(Comment.topic == str(topic), Comment.deleted_at.is_(None))
    if viewer.moderator:
        return query
    return query.where(Comment.hidden_at.is_(None) | (Comment.user_id == viewer.user_id))
