"""Comments: what people write under a commentable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String, Text, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant, Reading
from app.live.counters import read_heads
from app.live.cursors import write_cursor
from app.live.model import Live, LiveModel
from app.live.parley import Parley
from app.live.topics import Topic
from app.live.viewers import Kind, Viewer
from app.live.writing import Write, owned
from app.models.refusals import Conflict, Forbidden, Invalid, Missing, SignInFirst, Stale
from app.models.user import DELETED, User

LONGEST_BODY = 10_000  # characters
PAGE = 50  # comments
LARGEST_PAGE = 100
BATCH = 200  # comments in one transaction, when many are written at once

# Whether a version that the client names is still the one to change.
Matches = Callable[[Live], bool]


class Comment(Live, Base):
    """A comment. The author's name is kept with it, so that its rendering depends on this row alone."""

    __tablename__ = "comments"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    username: Mapped[str] = mapped_column(String(30))
    body: Mapped[str] = mapped_column(Text)
    content_seq: Mapped[int] = mapped_column(BigInteger)  # when the content changed last; a like moves only `seq`
    likes_count: Mapped[int] = mapped_column(default=0)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("comments.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def author_id(self) -> UUID:
        return self.user_id

    @property
    def edited(self) -> bool:
        return self.content_seq > self.created_seq

    def erase(self) -> None:
        self.body = self.username = ""
        self.likes_count = 0


def render(comment: Comment, kind: Kind) -> dict[str, Any]:
    """A comment as this kind of viewer sees it: in answers, in pages and in frames alike."""
    topic = Topic.parse(comment.topic)
    return {
        "id": comment.id,
        "body": comment.body,
        "user_id": comment.user_id,
        "username": comment.username,
        "likes_count": comment.likes_count,
        "commentable_type": topic.type,
        "commentable_id": topic.id,
        "parent_id": comment.parent_id,
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "edited": comment.edited,
        "seq": comment.seq,
        "created_seq": comment.created_seq,
        "current_user_can_edit": kind is Kind.AUTHOR,
    }


COMMENT = LiveModel("comment", Comment, render)


@dataclass(frozen=True)
class Page:
    """A snapshot of a topic's newest comments, or of those before some seq, and the cursor that goes with it."""

    topic: Topic
    seq: int
    cursor: str
    comments: list[Comment]
    before: int | None  # what to ask for next, None at the beginning


async def page(reading: Reading, topic: Topic, before: int | None = None, limit: int = PAGE) -> Page:
    """The counter first, then the rows: what comes between the two is in both the page and the stream."""
    epoch, heads = await read_heads(reading, [topic])
    query = select(Comment).where(Comment.topic == str(topic), Comment.deleted_at.is_(None))
    if before is not None:
        query = query.where(Comment.created_seq < before)
    newest = query.order_by(Comment.created_seq.desc()).limit(limit + 1)
    comments = list((await reading.scalars(newest)).all())
    more = len(comments) > limit
    comments = comments[:limit][::-1]
    cursor = write_cursor(epoch, heads)
    return Page(topic, heads[topic], cursor, comments, before=comments[0].created_seq if more else None)


async def count(reading: Reading, topics: Iterable[Topic]) -> dict[Topic, int]:
    """How many comments each of these has."""
    by_name = {str(topic): topic for topic in topics}
    query = select(Comment.topic, func.count()).where(Comment.topic.in_(by_name), Comment.deleted_at.is_(None))
    found = {row[0]: row[1] for row in (await reading.execute(query.group_by(Comment.topic))).all()}
    return {topic: found.get(name, 0) for name, topic in by_name.items()}


async def find(reading: Reading, id: UUID) -> Comment:
    """Raises Missing for an unknown comment and for a deleted one."""
    comment = await reading.get(Comment, id)
    return _alive(comment)


@owned
async def post(
    parley: Parley, author: Viewer, topic: Topic, body: str, id: UUID, parent_id: UUID | None = None
) -> tuple[Comment, bool]:
    """(the comment, whether it is new). The same id again, by its author on its topic, answers what is stored.

    Raises Conflict for any other use of the id, Invalid for a parent that is not on the topic.
    """
    if author.user_id is None or author.username is None:
        raise SignInFirst
    now = datetime.now(UTC)
    comment = Comment(
        id=id, topic=str(topic), user_id=author.user_id, username=author.username,
        body=body, parent_id=parent_id, likes_count=0, created_at=now, updated_at=now,
    )  # fmt: skip
    try:
        async with parley.writing(topic) as write:
            if stored := await write.get(Comment, id):
                return _same(stored, author, topic), False
            await _require_parent(write, parent_id, topic)
            write.create(comment)
            comment.content_seq = comment.seq
            await _require_account(write, author)
    except IntegrityError:  # the id was taken on another topic at the same moment
        raise _taken() from None
    return comment, True


async def posted(reading: Reading, author: Viewer, topic: Topic, id: UUID) -> Comment | None:
    """What `post` would answer without writing: the comment with this id, by its author on its topic."""
    stored = await reading.get(Comment, id)
    return _same(stored, author, topic) if stored else None


@owned
async def edit(parley: Parley, editor: Viewer, id: UUID, body: str | None, matches: Matches) -> Comment:
    """Change the body; None or an unchanged one takes no seq. Raises Missing, Forbidden, Stale."""
    async with parley.writing(await _topic_of(parley, id)) as write:
        comment = _own(await write.get(Comment, id), editor)
        if not matches(comment):
            raise Stale(comment)
        if body is not None and comment.body != body:
            comment.body, comment.updated_at = body, datetime.now(UTC)
            write.update(comment)
            comment.content_seq = comment.seq
    return comment


@owned
async def delete(parley: Parley, editor: Viewer, id: UUID, matches: Matches) -> None:
    """Erase the comment. Its author may do so again. Raises Missing, Forbidden, Stale."""
    async with parley.writing(await _topic_of(parley, id)) as write:
        comment = await write.get(Comment, id)
        if comment and comment.deleted_at and comment.user_id == editor.user_id:
            return
        comment = _own(comment, editor)
        if not matches(comment):
            raise Stale(comment)
        write.destroy(comment)


async def leave_behind(parley: Parley, user_id: UUID, erase: bool) -> None:
    """Erase the comments of an account that is gone, or take its name off them. A few at a time; may be done again."""
    left = select(Comment).where(Comment.user_id == user_id, Comment.deleted_at.is_(None), Comment.username != DELETED)
    while True:
        async with parley.reading() as reading:
            found = await reading.scalar(left.limit(1))
        if found is None:
            return
        async with parley.writing(Topic.parse(found.topic)) as write:
            here = left.where(Comment.topic == found.topic).order_by(Comment.seq).limit(BATCH)
            for comment in (await write.session.scalars(here)).all():
                if erase:
                    write.destroy(comment)
                else:
                    comment.username = DELETED
                    write.update(comment)


def _taken() -> Conflict:
    return Conflict("This id is in use.")


def _same(stored: Comment, author: Viewer, topic: Topic) -> Comment:
    if stored.deleted_at or stored.user_id != author.user_id or stored.topic != str(topic):
        raise _taken()
    return stored


def _alive(comment: Comment | None) -> Comment:
    if comment is None or comment.deleted_at:
        raise Missing("There is no such comment.")
    return comment


def _own(comment: Comment | None, editor: Viewer) -> Comment:
    comment = _alive(comment)
    if comment.user_id != editor.user_id:
        raise Forbidden("This is somebody else's comment.")
    return comment


async def _topic_of(parley: Parley, id: UUID) -> Topic:
    """Where the comment is. A topic is immutable, so it may be read before it is locked."""
    async with parley.reading() as reading:
        name = await reading.scalar(select(Comment.topic).where(Comment.id == id))
    if name is None:
        raise Missing("There is no such comment.")
    return Topic.parse(name)


async def _require_account(write: Write, author: Viewer) -> None:
    """Raises SignInFirst where the account was deleted while this was on its way.

    Stored first, so that the row's reference holds the account: a deletion has to wait for us, or we for it.
    """
    await write.session.flush()
    if await write.session.scalar(select(User.deleted_at).where(User.id == author.user_id)):
        raise SignInFirst


async def _require_parent(write: Write, parent_id: UUID | None, topic: Topic) -> None:
    if parent_id is None:
        return
    parent = await write.get(Comment, parent_id)
    if parent is None or parent.deleted_at or parent.topic != str(topic):
        raise Invalid("parent_id", "There is no such comment here.")
