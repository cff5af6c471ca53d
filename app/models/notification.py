"""Notifications: that somebody replied to one, or named one. They live on their person's own topic, like its likes.

Written in the transaction of the comment that they tell of, and gone with it. They say who and where, never what: a
text that is deleted is gone here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant, Reading
from app.live.model import LONGEST_TOPIC, Live, LiveModel, to_its_author
from app.live.topics import Topic
from app.live.viewers import Kind, Viewer
from app.live.writing import Write
from app.models.markdown import mentions
from app.models.user import LONGEST_USERNAME, User, username_key

MOST_MENTIONS = 10  # people whom one comment can name; the rest is text


class About(StrEnum):
    """What a notification is about."""

    REPLY = "reply"
    MENTION = "mention"


class Notification(Live, Base):
    __tablename__ = "notifications"

    user_id: Mapped[UUID]  # who is told
    kind: Mapped[str] = mapped_column(String(10))  # an About
    comment_id: Mapped[UUID] = mapped_column(index=True)
    place: Mapped[str] = mapped_column(String(LONGEST_TOPIC))  # the comment's topic
    actor_id: Mapped[UUID] = mapped_column(index=True)  # who wrote it
    actor_name: Mapped[str] = mapped_column(String(LONGEST_USERNAME))
    created_at: Mapped[datetime] = mapped_column(Instant)
    read_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def author_id(self) -> UUID:
        return self.user_id

    def erase(self) -> None:
        self.actor_name = ""

    def tombstone(self) -> dict[str, Any]:
        place = Topic.parse(self.place)
        return {**super().tombstone(), "commentable_type": place.type, "commentable_id": place.id}


def render(notification: Notification, kind: Kind = Kind.AUTHOR) -> dict[str, Any]:
    return {
        **notification.tombstone(),
        "kind": notification.kind,
        "comment_id": notification.comment_id,
        "actor_name": notification.actor_name,
        "created_at": notification.created_at,
        "read": notification.read_at is not None,
    }


NOTIFICATION = LiveModel("notification", Notification, render, to_its_author, lives_on=lambda topic: topic.is_account)

# Who is to be told of a comment, and why.
Told = Mapping[UUID, About]


def id_of(user_id: UUID, comment_id: UUID) -> UUID:
    """One for each person and comment, however often it is edited."""
    return uuid5(user_id, str(comment_id))


async def whom(reading: Reading, author: Viewer, body: str, parent_author_id: UUID | None = None) -> Told:
    """Who is to be told of what this author writes: whom it names, and whom it replies to; nobody of their own."""
    names = list(mentions(body))[:MOST_MENTIONS]
    keys = {username_key(form) for name in names for form in (name, name.replace("_", " "))}
    standing = (User.username_key.in_(keys), User.deleted_at.is_(None), User.blocked_at.is_(None))
    named = await reading.scalars(select(User.id).where(*standing)) if keys else ()
    told = dict.fromkeys(named, About.MENTION)
    if parent_author_id is not None:
        told[parent_author_id] = About.REPLY
    told.pop(author.user_id, None)  # type: ignore[arg-type]
    return told


async def who_was_told(reading: Reading, comment_id: UUID) -> list[Topic]:
    """The topics on which this comment's notifications are."""
    here = (Notification.comment_id == comment_id, Notification.deleted_at.is_(None))
    return [Topic.account(id_) for id_ in await reading.scalars(select(Notification.user_id).where(*here))]


async def tell(write: Write, author: Viewer, comment_id: UUID, place: Topic, told: Told) -> None:
    """Notify them, each once for this comment. The write holds their topics."""
    for user_id, about in told.items():
        id_ = id_of(user_id, comment_id)
        user = await write.get(User, user_id)
        if user is None or user.deleted_at or await write.get(Notification, id_):
            continue
        write.create(
            Notification(
                id=id_, topic=str(Topic.account(user_id)), user_id=user_id, kind=about, comment_id=comment_id,
                place=str(place), actor_id=author.user_id, actor_name=author.username, created_at=datetime.now(UTC),
            )
        )  # fmt: skip


async def take_back(write: Write, comment_id: UUID, topics: list[Topic]) -> None:
    """The comment is no more. The write holds these topics; `who_was_told` has found them."""
    here = (Notification.comment_id == comment_id, Notification.deleted_at.is_(None))
    for row in (await write.session.scalars(select(Notification).where(*here))).all():
        if Topic.parse(row.topic) in topics:
            write.destroy(row)
