"""Live models: the mixin that makes a table its own change feed, and the registration that makes feeds read it.

    class Like(Live, Base):
        __tablename__ = "likes"
        user_id: Mapped[UUID]

    class RenderedLike(Tombstone):
        user_id: UUID

    LIKE = LiveModel("like", Like, render_as(Like, RenderedLike))

That is all: if LIKE is in the list given to `Parley`, feeds read its changes and streams send them. A renderer may also
be a function: its result may depend only on the row. If it depends on anything else, a change of
that must also write the row. The types that renderers return are the schemas in the API's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID, uuid4

from pydantic import Field
from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from typing_extensions import TypedDict

from app.database import Base, Instant, Reading
from app.live.gids import BadGid, Gid, GidNotFound
from app.live.topics import QUEUE, Topic
from app.live.viewers import AUTHOR, Kind
from app.live.write.recording import Recording

MAX_TOPIC_LENGTH = 251  # a type of 50, a slash, an id of 200 characters

Seq = Annotated[int, Field(ge=0, description="The seq in its topic.")]
Count = Annotated[int, Field(ge=0)]


Rendered = TypeVar("Rendered")


class Tombstone(TypedDict):
    """An object that is deleted, or that this viewer may not see."""

    id: UUID
    commentable_type: str
    commentable_id: str
    seq: Seq
    created_seq: Seq


class Live:
    """Columns of a live model. A row is an object's latest state, or its tombstone, with the seq of its last change."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    topic: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH))
    seq: Mapped[int] = mapped_column(BigInteger)
    created_seq: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805
        return (UniqueConstraint("topic", "seq"), Index(None, "topic", "created_seq"))

    @classmethod
    def plain(cls, columns: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Self:
        """A row with these columns that no session knows. Filling it with the ORM takes longer than a SELECT.

        The attributes of a mapped class read `__dict__`. Without a session they cannot be set: use `vars(row)`.
        """
        row = cls.__new__(cls)
        row.__dict__.update(columns)
        return row

    @property
    def author_id(self) -> UUID | None:
        """The person who counts as this row's author (`Kind.AUTHOR`)."""
        return None

    @property
    def content_seq(self) -> int:
        """The seq of the last change of the content: an edit that is based on this seq or a later one is no conflict.

        A model overrides this if its rows also get a new seq for changes outside their content.
        """
        return self.seq

    @property
    def full_seq(self) -> int:
        """The seq of the last full change: since then, only members that `LiveModel.partial` renders have changed."""
        return self.seq

    def before_change(self) -> None:
        """Called before the row gets a seq. A model that delays some of its changes applies them here."""

    def erase(self) -> None:
        """Erase the content, for a tombstone. Models with content override this."""

    def tombstone(self) -> Tombstone:
        type_, _, id_ = self.topic.partition("/")  # a stored name is valid
        return {
            "id": self.id,
            "commentable_type": type_,
            "commentable_id": id_,
            "seq": self.seq,
            "created_seq": self.created_seq,
        }


def render_as(model: type[Live], members: type[Rendered]) -> Callable[..., Rendered]:
    """A renderer: each member of this type is the row's attribute with the same name.

    Raises TypeError if the model has no such attribute.
    """
    names = [name for name in members.__annotations__ if name not in Tombstone.__annotations__]
    if missing := [name for name in names if not hasattr(model, name)]:
        raise TypeError(f"{model.__name__} has no {', '.join(missing)}")

    def render(row: Live) -> Any:
        return {**row.tombstone(), **{name: getattr(row, name) for name in names}}

    render.__annotations__["return"] = members
    return render


def anyone(row: Any, kind: Kind) -> bool:
    return True


def to_its_author(row: Any, kind: Kind) -> bool:
    return kind is Kind.AUTHOR


def to_moderators(row: Any, kind: Kind) -> bool:
    return kind is Kind.MODERATOR


def anywhere(topic: Topic) -> bool:
    return True


def is_account(topic: Topic) -> bool:
    return topic.is_account


def is_about(topic: Topic) -> bool:
    return topic.is_about


def is_queue(topic: Topic) -> bool:
    return topic == QUEUE


@dataclass(frozen=True)
class LiveModel:
    """One registration: the name in events, the table, the renderer, the visibility of rows, and the topics.

    All kinds of viewer that may see a row get the same rendering, except for the members `for_author`: the row's author
    gets these values of them. So a change is rendered once.

    With `render=None`, changes of the model are sent to nobody, but they move cursors and wake sessions. A feed reads
    the tables of the models that live on its topic. By default a model lives on all topics.

    `partial` renders the members that can change without a full change (`Live.full_seq`), and those of `tombstone`. The
    result is the same for all kinds of viewer. If the client has the other members, the session sends only these.

    The functions in `record` return rows to be stored in the transaction of each change, such as messages to other
    services.
    """

    name: str
    model: type[Live]
    render: Callable[[Any], Mapping[str, Any]] | None
    visible: Callable[[Any, Kind], bool] = anyone
    lives_on: Callable[[Topic], bool] = anywhere
    partial: Callable[[Any], Mapping[str, Any]] | None = None
    for_author: Mapping[str, Any] = field(default_factory=dict, hash=False)
    record: Sequence[Callable[[Recording, Any], Sequence[Base]]] = ()

    def render_for(self, row: Any, kind: Kind) -> Any:
        """The row for a viewer of this kind who may see it. {} if the model is not rendered."""
        rendered = self.render(row) if self.render else {}
        return {**rendered, **self.for_author} if kind is AUTHOR else rendered

    @cached_property
    def event_lines(self) -> Mapping[str, bytes]:
        verbs = ("create", "update", "destroy")
        return {verb: b"event: global.%s.%s.success\n" % (self.name.encode(), verb.encode()) for verb in verbs}

    def gid(self, row: Live) -> Gid:
        return Gid(self.model.__name__, str(row.id))


async def locate(reading: Reading, models: tuple[LiveModel, ...], gid: Gid) -> Live:
    """The object with this gid, in its current state.

    Raises BadGid if the model is unknown or the id is malformed, and GidNotFound if there is no such object.
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
