"""Live models: the mixin that makes a table its own change feed, and the registration that makes it heard.

    class Like(Live, Base):
        __tablename__ = "likes"
        user_id: Mapped[UUID]

    LIKE = LiveModel("like", Like, render=lambda like, kind: {**like.tombstone(), "user_id": like.user_id})

That is all: with LIKE in the list given to `Parley`, its changes are read by feeds and sent by streams. What
`render` returns may depend on the row and the kind of viewer only; whatever else would change it writes the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from app.database import Instant, Reading
from app.live.gids import BadGid, Gid, GidNotFound
from app.live.topics import Topic
from app.live.viewers import Kind

MAX_TOPIC_LENGTH = 251  # a type of 50, a slash, an id of 200 characters


class Live:
    """Columns of a live model. A row is the object's latest state, or its tombstone, and the seq it got there at."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    topic: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH))
    seq: Mapped[int] = mapped_column(BigInteger)
    created_seq: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805
        return (UniqueConstraint("topic", "seq"), Index(None, "topic", "created_seq"))

    @property
    def author_id(self) -> UUID | None:
        """Whose row this is: the person who is its `author` among the kinds of viewers."""
        return None

    @property
    def content_seq(self) -> int:
        """When its content changed last: edits written on that or on anything since are no conflict.

        Models whose rows also move for less than their content say so.
        """
        return self.seq

    @property
    def full_seq(self) -> int:
        """The seq of the last full change: since then only what `LiveModel.partial` renders has changed."""
        return self.seq

    def before_change(self) -> None:
        """Called before the row takes a seq. A model that holds something back publishes it here."""

    def erase(self) -> None:
        """Forget the content, for a tombstone. Models with content of their own say how."""

    def tombstone(self) -> dict[str, Any]:
        """What is left to say of an object that is gone, or that this viewer may not see: where, and when."""
        topic = Topic.parse(self.topic)
        return {
            "id": self.id,
            "commentable_type": topic.type,
            "commentable_id": topic.id,
            "seq": self.seq,
            "created_seq": self.created_seq,
        }


def anyone(row: Any, kind: Kind) -> bool:
    return True


def to_its_author(row: Any, kind: Kind) -> bool:
    return kind is Kind.AUTHOR


def to_moderators(row: Any, kind: Kind) -> bool:
    return kind is Kind.MODERATOR


def anywhere(topic: Topic) -> bool:
    return True


@dataclass(frozen=True)
class LiveModel:
    """One registration: the name in events, the table, the renderer, who may see a row, and on which topics it lives.

    With `render=None` nothing of the model is sent to anybody: its changes move cursors and wake sessions. A feed reads
    the tables of the models that live on its topic; one that says nothing is looked for on all of them.

    `partial` renders the members that can change without a full change (`Live.full_seq`), and those of `tombstone`, for
    all kinds of viewer alike. A session sends this instead of the whole object if its client has the rest.
    """

    name: str
    model: type[Live]
    render: Callable[[Any, Kind], Mapping[str, Any]] | None
    visible: Callable[[Any, Kind], bool] = anyone
    lives_on: Callable[[Topic], bool] = anywhere
    partial: Callable[[Any], Mapping[str, Any]] | None = None

    @cached_property
    def event_lines(self) -> Mapping[str, bytes]:
        verbs = ("create", "update", "destroy")
        return {verb: b"event: global.%s.%s.success\n" % (self.name.encode(), verb.encode()) for verb in verbs}

    def gid(self, row: Live, **params: object) -> Gid:
        return Gid(self.model.__name__, str(row.id), {name: str(value) for name, value in params.items()})


async def locate(reading: Reading, models: tuple[LiveModel, ...], gid: Gid) -> Live:
    """The object that `gid` names, as it is in the database now.

    Raises BadGid for an unknown model or an id of the wrong form, GidNotFound when there is no such object.
    """
    by_name = {live.model.__name__: live.model for live in models}
    try:
        model, id_ = by_name[gid.model], UUID(gid.id)
    except (KeyError, ValueError):
        raise BadGid(f"no live model has an object like {gid}") from None
    row = await reading.get(model, id_)
    if row is None or row.deleted_at is not None:
        raise GidNotFound(str(gid))
    return row
