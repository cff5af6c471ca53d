"""Atom feeds (RFC 4287): the newest comments that everybody may see, for feed readers.

1. An entry's id is `urn:uuid:` and the id of its comment, which nothing changes. A tag URI (RFC 4151) or an address
   would contain a host name, and that changes with PUBLIC_URL. A feed reader shows an entry with a new id again.
2. A feed's id is made from its name and a random UUID of this database. So two sites with an `Article/1` have two ids.
3. A feed's tag changes if the feed does, and it is read without any text. A like changes neither of them.
4. A feed has at most `MAX_ENTRIES` entries. If their texts are longer than `MAX_CONTENT_LENGTH` together, the oldest of
   them are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Index, Select, false, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from app import __version__
from app.commentables.commentables import Commentable, id_of
from app.comments.comments import SHOWN_TO_ALL, Comment
from app.database import Base, Reading
from app.live.signing import fingerprint
from app.live.topics import ABOUT, Topic
from app.notifications.notifications import Notification

MAX_ENTRIES = 50
MAX_CONTENT_LENGTH = 250_000  # characters of all texts together, as escaped HTML

# For `in_all`.
Index("ix_comments_created_at", Comment.created_at, postgresql_where=SHOWN_TO_ALL, sqlite_where=SHOWN_TO_ALL)


class AtomNamespace(Base):
    """The single row with the random UUID of this database (2)."""

    __tablename__ = "atom_namespaces"

    id: Mapped[UUID] = mapped_column(primary_key=True)


@dataclass(frozen=True)
class AtomFeed:
    """A feed: its name, title and page, and the query for its comments, the newest first."""

    name: str  # never changes
    title: str
    page: str  # the address of the page that shows the same
    path: str  # the feed's own, with its query
    comments: Select[Any]


@dataclass(frozen=True)
class Entry:
    comment: Comment
    html: str
    title: str  # of the conversation, or ""
    url: str  # of the host's page with the conversation, or ""


def path_of(topic: Topic) -> str:
    """The path of a conversation's feed."""
    return f"/feeds/{quote(str(topic))}"


def in_conversation(topic: Topic) -> Select[Any]:
    return _newest(Comment.created_seq, Comment.topic == str(topic))


def in_all(types: Collection[str]) -> Select[Any]:
    """The comments of all commentables of these types."""
    prefixes = [f"{type_}/" for type_ in sorted(types)]
    listed = or_(false(), *(func.substr(Comment.topic, 1, len(prefix)) == prefix for prefix in prefixes))
    return _newest(Comment.created_at, listed)


def for_account(user_id: UUID) -> Select[Any]:
    """The comments that notified this account: replies and mentions."""
    told = Notification.topic == str(Topic.account(user_id)), Notification.deleted_at.is_(None)
    return _newest(Notification.created_seq, *told).join(Notification, Notification.comment_id == Comment.id)


def _newest(order: Any, *where: ColumnElement[bool]) -> Select[Any]:
    """Comments with the rows of their commentables."""
    about = Commentable.topic == literal(f"{ABOUT}/").concat(Comment.topic)
    query = select(Comment.id).outerjoin(Commentable, about).where(SHOWN_TO_ALL, *where)
    return query.order_by(order.desc()).limit(MAX_ENTRIES)


async def read_place(connection: AsyncConnection, topic: Topic) -> tuple[str, str]:
    """The title and the host's page of a conversation; "" if there is none."""
    columns = select(Commentable.title, Commentable.url)
    row = (await connection.execute(columns.where(Commentable.id == id_of(topic)))).one_or_none()
    return (row.title, row.url) if row else ("", "")


async def read_tag(connection: AsyncConnection, feed: AtomFeed, more: Sequence[str]) -> str:
    """A tag of the feed's content in this release (3). `more` is everything else that the content depends on."""
    columns = Comment.id, Comment.content_seq, Comment.html_key, Comment.username, Commentable.title, Commentable.url
    rows = await connection.execute(feed.comments.with_only_columns(*columns))
    return fingerprint(__version__, feed.title, feed.page, feed.path, *more, *(repr(tuple(row)) for row in rows))


async def read_entries(reading: Reading, feed: AtomFeed) -> list[Entry]:
    rows = await reading.execute(feed.comments.with_only_columns(Comment, Commentable.title, Commentable.url))
    return _within_limit(Entry(comment, comment.shown()[0], title or "", url or "") for comment, title, url in rows)


def _within_limit(entries: Iterable[Entry]) -> list[Entry]:
    """The first of these, at least one, until the texts are too long (4)."""
    kept: list[Entry] = []
    length = 0
    for entry in entries:
        length += len(escape(entry.html))
        if kept and length > MAX_CONTENT_LENGTH:
            break
        kept.append(entry)
    return kept


async def read_id(reading: Reading, feed: AtomFeed) -> UUID:
    namespace = (await reading.scalars(select(AtomNamespace.id))).one()
    return uuid5(namespace, feed.name)
