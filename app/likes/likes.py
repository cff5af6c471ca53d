"""Likes: one person likes one comment.

A like is on its account's topic, so it shows in all tabs of that account. The comment has only the number of likes, so
its event is the same for everybody. An unlike makes the row a tombstone, and a new like reuses that row.

The number is published at most once a second for each comment, because each client that follows the topic gets it.
Likes within a second of the last publication are *pending*: their rows are written, and the comment counts them
separately. The process that wrote the first pending like publishes them after that second. If it is killed before that,
`publish_overdue` does it. Any other change of the comment publishes them, too (`Comment.before_change`).

A hidden comment keeps its likes. A deleted comment shows none: the rows of its likes stay on their topics without
effect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.user import User
from app.comments.comments import Comment, find_for, topic_of
from app.database import Base, Reading, log_error
from app.errors import SignInFirst
from app.live.model import MAX_TOPIC_LENGTH, Live, LiveModel, Tombstone, is_account, render_as, to_its_author
from app.live.read.pages import Page, read_page
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.batches import BATCH_SIZE, change_all
from app.live.write.transaction import Write, owned

PUBLISH_INTERVAL = timedelta(seconds=1)  # between two publications of one comment's number

log = logging.getLogger(__name__)


def clock() -> datetime:
    return datetime.now(UTC)


sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Like(Live, Base):
    __tablename__ = "likes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    comment_id: Mapped[UUID] = mapped_column(index=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH))  # the comment's topic

    @property
    def author_id(self) -> UUID:
        return self.user_id

    def tombstone(self) -> Tombstone:
        place = Topic.parse(self.place)
        return {**super().tombstone(), "commentable_type": place.type, "commentable_id": place.id}


class RenderedLike(Tombstone):
    """Your like of a comment."""

    comment_id: UUID


render = render_as(Like, RenderedLike)
LIKE = LiveModel("like", Like, render, to_its_author, lives_on=is_account)


def id_of(user_id: UUID, comment_id: UUID) -> UUID:
    """The id of the person's like of this comment. Browsers derive the same id."""
    return uuid5(user_id, str(comment_id))


@owned
async def like(parley: Parley, viewer: Viewer, comment_id: UUID) -> tuple[Like, int]:
    """Like this comment. Returns (the like, the seq at which the comment's number includes it).

    While the like is pending, the comment has not reached that seq yet. Repeating it changes nothing.

    Raises Missing, SignInFirst.
    """
    return await _set(parley, viewer, comment_id, liked=True)


@owned
async def unlike(parley: Parley, viewer: Viewer, comment_id: UUID) -> tuple[Like, int]:
    """Remove the like. Returns (the tombstone, with seq 0 if there was no like, the comment's seq as in `like`).

    Raises Missing, SignInFirst.
    """
    return await _set(parley, viewer, comment_id, liked=False)


async def _set(parley: Parley, viewer: Viewer, comment_id: UUID, liked: bool) -> tuple[Like, int]:
    if viewer.user_id is None:
        raise SignInFirst
    topic, own = await topic_of(parley, comment_id), Topic.account(viewer.user_id)
    async with parley.writing(topic, own) as write:
        user = await write.get(User, viewer.user_id)
        if user is None or user.deleted_at or user.blocked_at:  # meanwhile; a deletion or a block locks `own`, too
            raise SignInFirst
        comment = find_for(viewer, await write.get(Comment, comment_id))
        id_ = id_of(viewer.user_id, comment_id)
        like = await write.get(Like, id_) or Like(
            id=id_, topic=str(own), user_id=viewer.user_id, comment_id=comment_id, place=str(topic), seq=0
        )
        if liked == _is_liked(like):
            return like, _counted(comment)
        due_at = _count(write, comment, 1 if liked else -1)
        if liked:
            like.deleted_at = None
            write.create(like)
        else:
            write.destroy(like)
    if due_at:
        parley.begin(_publish_at(parley, comment_id, due_at))
    return like, _counted(comment)


def _counted(comment: Comment) -> int:
    """The comment's seq at which its published number has all likes."""
    return comment.seq if comment.likes_due_at is None else comment.seq + 1


# -- the number ---------------------------------------------------------------------------------------------


def _count(write: Write, comment: Comment, by: int) -> datetime | None:
    """Count likes. Returns the time at which the caller must publish them, or None if it need not."""
    now = clock()
    comment.likes_pending += by
    last = comment.likes_published_at
    if last is None or not timedelta(0) <= now - last < PUBLISH_INTERVAL:  # the clock may have been set back
        publish(write, comment, now)
        return None
    if comment.likes_due_at is not None:
        return None
    comment.likes_due_at = last + PUBLISH_INTERVAL
    return comment.likes_due_at


def publish(write: Write, comment: Comment, now: datetime) -> None:
    """Publish the number with a new seq. The write holds the comment's topic."""
    whole_seq = comment.full_seq
    write.update(comment)
    comment.whole_seq, comment.likes_seq = whole_seq, comment.seq
    comment.likes_published_at = now


async def _publish_at(parley: Parley, comment_id: UUID, due_at: datetime) -> None:
    try:
        await sleep((due_at - clock()).total_seconds())
        await _publish_pending(parley, comment_id, due_at)
    except Exception as error:
        log_error(log, error, "publishing likes")


async def _publish_pending(parley: Parley, comment_id: UUID, now: datetime) -> None:
    """Publish the likes that are due by `now`, unless they have been published."""
    async with parley.writing(await topic_of(parley, comment_id)) as write:
        comment = await write.get(Comment, comment_id)
        if comment is None or comment.deleted_at or comment.likes_due_at is None:
            return
        if comment.likes_due_at <= max(now, clock()):
            publish(write, comment, clock())


async def publish_overdue(parley: Parley) -> None:
    """Publish the numbers that a killed process has left pending. A number that is due in more than `PUBLISH_INTERVAL`
    counts as overdue, because the clock was set back."""
    now = clock()
    overdue = (Comment.likes_due_at <= now) | (Comment.likes_due_at > now + PUBLISH_INTERVAL)
    query = select(Comment.id, Comment.likes_due_at).where(overdue, Comment.deleted_at.is_(None)).limit(BATCH_SIZE)
    while True:
        async with parley.reading() as reading:
            found = (await reading.execute(query)).all()
        for id_, due_at in found:
            await _publish_pending(parley, id_, due_at or now)
        if len(found) < BATCH_SIZE:
            return


def _is_liked(like: Like) -> bool:
    return like.seq > 0 and like.deleted_at is None


async def clean_up_account(parley: Parley, user_id: UUID) -> None:
    own = Topic.account(user_id)
    left = select(Like).where(Like.topic == str(own), Like.deleted_at.is_(None))
    await change_all(parley, left, _remove, also=lambda like: [own], by="place")


async def _remove(write: Write, likes: Sequence[Like]) -> None:
    for like in likes:
        comment = await write.get(Comment, like.comment_id)
        if comment and not comment.deleted_at:
            comment.likes_pending -= 1
            publish(write, comment, clock())
        write.destroy(like)


async def read_likes(reading: Reading, viewer: Viewer, topic: Topic) -> Page[Like]:
    return await read_page(reading, Like, Topic.account(viewer.user_id), Like.place == str(topic), limit=None)
