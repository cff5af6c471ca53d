"""Threads: reads a commentable's comments in pages, each with the ancestors of its comments.

A page is a window: some of the comments that this viewer may see, in order of creation. The *ancestors* are the
comments above them that are not in the window. A deleted or hidden ancestor is a tombstone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.commentables import commentables
from app.commentables.commentables import Commentable
from app.comments.comments import COMMENT, Comment, Remover, RenderedComment, UuidText, is_there_for
from app.database import Reading
from app.errors import Missing
from app.live.cursors import write_cursor
from app.live.model import Tombstone
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.sequences import read_heads

PAGE = 50  # comments


class Remains(Tombstone):
    """An ancestor that was deleted. Its replies are still drawn below its place."""

    parent_id: UUID | None
    path: list[UuidText]
    deleted: Literal[True]


class RemovedRemains(Remains):
    """An ancestor that a moderator has hidden from this viewer, or that an owner has erased."""

    removed_by: Literal[Remover.MODERATOR]


Ancestor = RenderedComment | Remains | RemovedRemains
Counters = tuple[str, Mapping[Topic, int]]  # the epoch, and the head of each topic


@dataclass(frozen=True)
class Window:
    """Comments in order of creation, and the seqs for the next requests: None at the beginning, and at the live end."""

    comments: list[Comment]
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Page:
    """A snapshot of some of a topic's comments, and the cursor that goes with it."""

    topic: Topic
    seq: int
    cursor: str
    comments: list[Comment]
    ancestors: list[Comment]
    before: int | None
    after: int | None
    commentable: Commentable
    commentable_cursor: str  # of its own topic


async def read_counters(reading: Reading | AsyncConnection, topic: Topic) -> Counters:
    return await read_heads(reading, [topic, topic.about])


async def page(
    reading: Reading,
    viewer: Viewer,
    topic: Topic,
    before: int | None = None,
    limit: int = PAGE,
    *,
    after: int | None = None,
    around: UUID | None = None,
    counters: Counters | None = None,
) -> Page:
    """The newest comments, or those before a seq, after a seq, or around a comment. Raises Missing.

    The counters are read before the rows, so a change between the two is in both the page and the stream. `counters` is
    the result of `read_counters` in the same reading, if the caller has it.
    """
    epoch, heads = counters or await read_counters(reading, topic)
    shown = _Shown(reading, viewer, topic, limit)
    if around is not None:
        window = await shown.around(await _place_of(reading, topic, around))
    elif after is not None:
        window = await shown.after(after)
    else:
        window = await shown.before(before)
    return Page(
        topic,
        heads[topic],
        write_cursor(epoch, {topic: heads[topic]}),
        window.comments,
        await ancestors_of(reading, window.comments),
        before=window.before,
        after=window.after,
        commentable=(await commentables.of(reading, [topic]))[topic],
        commentable_cursor=write_cursor(epoch, {topic.about: heads[topic.about]}),
    )


@dataclass(frozen=True)
class _Shown:
    """Queries for the comments of a topic that this viewer may see."""

    reading: Reading
    viewer: Viewer
    topic: Topic
    limit: int

    async def before(self, seq: int | None) -> Window:
        comments, more = await self._older(None if seq is None else Comment.created_seq < seq)
        last = comments[-1].created_seq if comments else (seq or 0) - 1
        is_end = seq is None or not await self._any(Comment.created_seq >= seq)
        return Window(comments, comments[0].created_seq if more else None, None if is_end else last)

    async def after(self, seq: int) -> Window:
        comments, more = await self._newer(seq)
        first = comments[0].created_seq if comments else seq + 1
        is_beginning = not await self._any(Comment.created_seq <= seq)
        return Window(comments, None if is_beginning else first, comments[-1].created_seq if more else None)

    async def around(self, seq: int) -> Window:
        """Half of the page up to this seq, and half after it. If one side has fewer comments, the other gets more."""
        older, more_older = await self._older(Comment.created_seq <= seq)
        newer, more_newer = await self._newer(seq)
        kept = newer[: max(self.limit // 2, self.limit - len(older))]
        room = self.limit - len(kept)
        comments = older[max(0, len(older) - room) :] + kept
        before = comments[0].created_seq if more_older or len(older) > room else None
        after = comments[-1].created_seq if more_newer or len(newer) > len(kept) else None
        return Window(comments, before, after)

    async def _older(self, where: ColumnElement[bool] | None) -> tuple[list[Comment], bool]:
        """(the newest of these, whether there are more)."""
        query = self._query() if where is None else self._query().where(where)
        newest = query.order_by(Comment.created_seq.desc()).limit(self.limit + 1)
        found = list((await self.reading.scalars(newest)).all())
        return found[: self.limit][::-1], len(found) > self.limit

    async def _newer(self, seq: int) -> tuple[list[Comment], bool]:
        """(the oldest after that seq, whether there are more)."""
        oldest = self._query().where(Comment.created_seq > seq).order_by(Comment.created_seq).limit(self.limit + 1)
        found = list((await self.reading.scalars(oldest)).all())
        return found[: self.limit], len(found) > self.limit

    async def _any(self, where: ColumnElement[bool]) -> bool:
        return await self.reading.scalar(self._query().where(where).with_only_columns(Comment.id).limit(1)) is not None

    def _query(self) -> Select[Any]:
        """The rule of `app.comments.comments.visible`, as a query."""
        query = select(Comment).where(Comment.topic == str(self.topic), Comment.deleted_at.is_(None))
        if self.viewer.moderator:
            return query
        return query.where(Comment.hidden_at.is_(None) | (Comment.user_id == self.viewer.user_id))


async def _place_of(reading: Reading, topic: Topic, id: UUID) -> int:
    """The seq at which this comment was created. It may be deleted, because links to it still exist. Raises Missing."""
    comment = await reading.get(Comment, id)
    if comment is None or comment.topic != str(topic):
        raise Missing("This comment no longer exists.")
    return comment.created_seq


async def ancestors_of(reading: Reading, comments: Iterable[Comment]) -> list[Comment]:
    """The ancestors of these comments that are not among them, including tombstones, in order of creation."""
    here = list(comments)
    missing = {UUID(id_) for comment in here for id_ in comment.path} - {comment.id for comment in here}
    if not missing:
        return []
    found = select(Comment).where(Comment.id.in_(missing)).order_by(Comment.created_seq)
    return list((await reading.scalars(found)).all())


def render(comment: Comment, viewer: Viewer) -> RenderedComment:
    rendered: RenderedComment = COMMENT.render_for(comment, viewer.kind(comment.author_id))
    return rendered


def render_ancestor(comment: Comment, viewer: Viewer) -> Ancestor:
    """An ancestor for this viewer: the comment, or a tombstone if the viewer may not see it."""
    if is_there_for(viewer, comment):
        return render(comment, viewer)
    return {**comment.tombstone(), "parent_id": comment.parent_id, "path": comment.path, "deleted": True}


def in_page_order(snapshot: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A snapshot's comments and ancestors in the order of the page: each is followed by its replies, oldest first.

    Each also has `deleted`, and `answers`: the name of its parent's author, or None if that is unknown.
    """
    shown = {str(one["id"]): one for one in (*snapshot["ancestors"], *snapshot["comments"])}

    def place(one: Mapping[str, Any]) -> list[int]:
        return [shown[id_]["created_seq"] for id_ in (*one["path"], str(one["id"])) if id_ in shown]

    def answered(one: Mapping[str, Any]) -> Any:
        return shown.get(str(one["parent_id"]), {}).get("username")

    return [{"deleted": False, **one, "answers": answered(one)} for one in sorted(shown.values(), key=place)]
