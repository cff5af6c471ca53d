"""Commentables: the title, the lock, the page and the number of comments of each conversation.

Each has a separate topic, `Commentable/Article/1`, so a page that shows the counts of a hundred articles gets no
comments. The first comment or decision creates the row. Without a row, a read returns a commentable with seq 0 and
counts its comments.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import Field
from sqlalchemy import Connection, Select, String, bindparam, column, func, select, table, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.among import among
from app.database import Base, Reading
from app.errors import Forbidden
from app.live.cursors import write_cursor
from app.live.model import Count, Live, LiveModel, Tombstone, is_about, render_as
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.group_commit import GroupWrite
from app.live.write.sequences import read_heads
from app.live.write.transaction import Write, owned

MAX_TITLE_LENGTH = 200  # characters
MAX_URL = 2_000  # characters; browsers and proxies support at least that
BATCH_SIZE = 500  # commentables in one counting query
PLACES = UUID("6f0a7c1e-5a0b-4d3e-9c53-0b8f2d9f4a61")  # the namespace of commentables' ids

# The columns of comments that counting needs. The model is in `app.comments.comments`, which imports this module.
COMMENTS = table("comments", column("topic"), column("deleted_at"), column("hidden_at"))


@dataclass(frozen=True)
class HostPage:
    """A page of a host, as its embed sends it. `app.commentables.host_pages` checks it."""

    url: str
    title: str = ""


@dataclass
class Conversation:
    """A commentable in a transaction of plain statements."""

    id: UUID
    comments_count: int
    seq: int = 0  # 0: it has no row yet
    title: str = ""
    locked: bool = False
    url: str = ""


class Commentable(Live, Base):
    __tablename__ = "commentables"

    title: Mapped[str] = mapped_column(String(MAX_TITLE_LENGTH), default="")
    locked: Mapped[bool] = mapped_column(default=False)
    comments_count: Mapped[int] = mapped_column(default=0)  # comments that everybody may see
    # The host's page with the conversation, without a fragment; "" until an embed or a moderator sets it.
    url: Mapped[str] = mapped_column(String(MAX_URL), default="", server_default=text("''"))

    @property
    def place(self) -> Topic:
        """The topic of its comments."""
        return Topic.parse(self.topic).place

    def tombstone(self) -> Tombstone:
        return {**super().tombstone(), "commentable_type": self.place.type, "commentable_id": self.place.id}


class RenderedCommentable(Tombstone):
    """A commentable. Before its first comment it has no row, and its seq is 0."""

    title: str
    locked: bool
    comments_count: Count
    url: Annotated[str, Field(description="The host's page with the conversation; empty if unknown.")]


render = render_as(Commentable, RenderedCommentable)
COMMENTABLE = LiveModel("commentable", Commentable, render, lives_on=is_about)


def id_of(topic: Topic) -> UUID:
    """The commentable's id. It is derived from the topic, so it is known before there is a row."""
    return uuid5(PLACES, str(topic))


async def snapshot(reading: Reading, topics: Iterable[Topic]) -> tuple[dict[Topic, Commentable], str]:
    """Each topic's commentable, and the cursor to stream them from. The counters are read before the rows."""
    wanted = list(dict.fromkeys(topics))
    epoch, heads = await read_heads(reading, [topic.about for topic in wanted])
    return await of(reading, wanted), write_cursor(epoch, heads)


async def of(reading: Reading, topics: Iterable[Topic]) -> dict[Topic, Commentable]:
    """Each topic's commentable; without a row, a new one with seq 0 and the current count."""
    wanted = list(dict.fromkeys(topics))
    rows = await reading.scalars(select(Commentable).where(Commentable.id.in_(id_of(topic) for topic in wanted)))
    found = {row.place: row for row in rows}
    counts = await _count(reading, [topic for topic in wanted if topic not in found])
    return {topic: found.get(topic) or _blank(topic, counts[topic]) for topic in wanted}


def read_together(connection: Connection, topics: Iterable[Topic]) -> dict[Topic, Conversation]:
    """Like `of`, in a transaction of plain statements. `store_together` stores changes of these commentables."""
    wanted = {id_of(topic): topic for topic in topics}
    rows = connection.execute(_FIND, {"ids": wanted})
    found = {wanted[row.id]: Conversation(*row) for row in rows}
    if missing := [topic for topic in wanted.values() if topic not in found]:
        counts = {row[0]: row[1] for row in connection.execute(_counting(missing))}
        found |= {topic: Conversation(id_of(topic), counts.get(str(topic), 0)) for topic in missing}
    return found


def count_new(commentable: Conversation, author: Viewer, page: HostPage | None) -> None:
    """Count a new comment, which was written in this page. Raises Forbidden if the conversation is locked and the
    author is not a moderator."""
    if commentable.locked and not author.moderator:
        raise Forbidden("Comments are closed.")
    commentable.comments_count += 1
    if page and not commentable.url:  # the first comment from an embed sets the page; later only moderators change it
        commentable.url, commentable.title = page.url, commentable.title or page.title


def store_together(write: GroupWrite, changed: Mapping[Topic, Conversation]) -> None:
    """Store these commentables of `read_together`, which was called under the lock."""
    known = []
    for topic, each in changed.items():
        if each.seq:
            last = write.change(Commentable, each.id, topic.about)
            known.append(
                {"row": each.id, "number": each.comments_count, "name": each.title, "at": each.url, "last": last}
            )
        else:
            write.create(Commentable(topic=str(topic.about), **asdict(each)))
    if known:
        write.connection.execute(_STORE, known)


_FIND = select(*(getattr(Commentable, each.name) for each in fields(Conversation))).where(among(Commentable.id, "ids"))
_STORE = (
    update(Commentable)
    .where(Commentable.id == bindparam("row"))
    .values(comments_count=bindparam("number"), title=bindparam("name"), url=bindparam("at"), seq=bindparam("last"))
)


async def count(write: Write, topic: Topic, by: int) -> None:
    """Change the number of visible comments by `by`. The write holds `topic.about`.

    Without a row, counting the comments gives the new number already.
    """
    async with changing(write, topic) as commentable:
        if commentable.seq:
            commentable.comments_count += by


@asynccontextmanager
async def changing(write: Write, topic: Topic) -> AsyncIterator[Commentable]:
    """The commentable under the lock. The end of the block stores it. The write holds `topic.about`."""
    await write.session.flush()  # so that counting includes what this write has changed
    commentable = (await of(write.session, [topic]))[topic]
    yield commentable
    _put(write, commentable)


def _put(write: Write, commentable: Commentable) -> None:
    if commentable.seq:
        write.update(commentable)
    else:
        write.create(commentable)


async def recount(parley: Parley, places: Iterable[Topic] = ()) -> list[tuple[Topic, int, int]]:
    """Recount the comments of these commentables, or of all. Returns the corrections: (topic, old, new)."""
    async with parley.reading() as reading:
        query = select(Commentable)
        if ids := [id_of(place) for place in places]:
            query = query.where(Commentable.id.in_(ids))
        counted = {row.place: row.comments_count for row in await reading.scalars(query)}
        known, wrong = list(counted), []
        for start in range(0, len(known), BATCH_SIZE):
            actual = await _count(reading, known[start : start + BATCH_SIZE])
            wrong += [place for place, number in actual.items() if number != counted[place]]
    return [found for place in wrong if (found := await _recount(parley, place))]


@owned
async def _recount(parley: Parley, place: Topic) -> tuple[Topic, int, int] | None:
    """Correct one count. Each write of a comment locks `place.about`, too, so the count is exact."""
    async with parley.writing(place.about) as write:
        commentable = (await of(write.session, [place]))[place]
        was, now = commentable.comments_count, (await _count(write.session, [place]))[place]
        if was == now:
            return None  # a write has corrected it meanwhile
        commentable.comments_count = now
        write.update(commentable)
    return place, was, now


async def _count(reading: Reading, topics: list[Topic]) -> dict[Topic, int]:
    if not topics:
        return {}
    found = {row[0]: row[1] for row in await reading.execute(_counting(topics))}
    return {topic: found.get(str(topic), 0) for topic in topics}


def _counting(topics: list[Topic]) -> Select[str, int]:
    """The query for the number of comments that everybody may see of each topic that has some."""
    names = [str(topic) for topic in topics]
    shown = (COMMENTS.c.topic.in_(names), COMMENTS.c.deleted_at.is_(None), COMMENTS.c.hidden_at.is_(None))
    return select(COMMENTS.c.topic, func.count()).where(*shown).group_by(COMMENTS.c.topic)


def _blank(topic: Topic, comments: int) -> Commentable:
    return Commentable(
        id=id_of(topic), topic=str(topic.about), seq=0, created_seq=0, title="", locked=False, comments_count=comments,
        url="",
    )  # fmt: skip
