"""Comments: what people write under a commentable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import BigInteger, Dialect, ForeignKey, Index, String, Text, TypeDecorator, select, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from app.accounts.logins import lock_active_user
from app.accounts.user import MODERATING, Role
from app.commentables import commentables
from app.comments import excerpts, markdown, mentions
from app.comments.markdown import Rendering
from app.comments.mentions import Written
from app.database import Base, Instant, Reading
from app.errors import Forbidden, Invalid, Missing, Seen, refuse_stale
from app.live.model import Count, Live, LiveModel, Tombstone
from app.live.service import Parley
from app.live.topics import QUEUE, Topic
from app.live.viewers import PUBLIC, Kind, Viewer
from app.live.write.batches import change_all
from app.live.write.transaction import Write, owned
from app.moderation import reports
from app.moderator_mail.news import comment_news
from app.notifications import notifications
from app.notifications.notifications import Cause
from app.webhooks.deliveries import deliveries_of

MAX_BODY_LENGTH = 10_000  # characters
MAX_DEPTH = 4  # levels of replies that are drawn; a deeper reply is drawn at the last level


class Path(TypeDecorator[list[str]]):
    """A few ids, stored with spaces between them."""

    impl = String(MAX_DEPTH * 37)
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str:
        return " ".join(value or ())

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[str]:
        return (value or "").split()


class Remover(StrEnum):
    """The person who removed a comment: an author deletes it, a moderator hides it, and an owner erases it."""

    AUTHOR = "author"
    MODERATOR = "moderator"


class Names(TypeDecorator[list[str]]):
    """A few names, stored with line breaks between them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str:
        return "\n".join(value or ())

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[str]:
        return value.split("\n") if value else []


class Removed(Tombstone):
    """A comment that a moderator has hidden from this viewer, or that an owner has erased."""

    removed_by: Literal[Remover.MODERATOR]


class Comment(Live, Base):
    """A comment. The row stores its author's name, the names that it mentions and its HTML.

    So its rendering depends on this row alone, and a read parses nothing.
    """

    __tablename__ = "comments"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    username: Mapped[str] = mapped_column(String(30))
    author_role: Mapped[Role] = mapped_column(String(20), default=Role.MEMBER, server_default="member")
    body: Mapped[str] = mapped_column(Text)
    mentioned: Mapped[list[str]] = mapped_column(Names, default=list, server_default=text("''"))  # names, as typed
    html: Mapped[str | None] = mapped_column(Text)  # None for a plain text
    # Identifies the rules and the text that `html` was made from (`app.comments.markdown.key`). None until rendered.
    html_key: Mapped[int | None] = mapped_column(BigInteger, index=True)
    content_seq: Mapped[int] = mapped_column(BigInteger)  # at the last change of the content; a like changes only `seq`
    likes_count: Mapped[int] = mapped_column(default=0)  # as published; see `app.likes.likes`
    likes_pending: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # not yet added to `likes_count`
    likes_published_at: Mapped[datetime | None] = mapped_column(Instant)
    likes_due_at: Mapped[datetime | None] = mapped_column(Instant, index=True)  # when to publish the pending likes
    # `likes_seq` is the seq of the last change if it changed likes alone, and `whole_seq` that of the last full change.
    # The release before this one writes neither, so its changes count as full ones.
    likes_seq: Mapped[int | None] = mapped_column(BigInteger)
    whole_seq: Mapped[int | None] = mapped_column(BigInteger)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("comments.id"))
    # The ids of the comments above it, from the top down, at most `MAX_DEPTH`.
    path: Mapped[list[str]] = mapped_column(Path, default=list, server_default=text("''"))
    hidden_at: Mapped[datetime | None] = mapped_column(Instant)  # by a moderator
    removed_by: Mapped[str | None] = mapped_column(String(10))  # a Remover, on tombstones; None: the author
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def author_id(self) -> UUID:
        return self.user_id

    @property
    def edited(self) -> bool:
        return self.content_seq > self.created_seq

    @property
    def counts(self) -> bool:
        """Whether `comments_count` includes it: everybody may see it."""
        return self.deleted_at is None and self.hidden_at is None

    @property
    def remover(self) -> Remover:
        """The person who hid or deleted this comment."""
        hidden = self.deleted_at is None and self.hidden_at is not None
        return Remover.MODERATOR if hidden else Remover(self.removed_by or Remover.AUTHOR)

    @property
    def full_seq(self) -> int:
        return self.seq if self.whole_seq is None or self.likes_seq != self.seq else self.whole_seq

    def before_change(self) -> None:
        """Publish the pending likes with this change, because it sends the number of likes anyway."""
        self.likes_count = (self.likes_count or 0) + (self.likes_pending or 0)
        self.likes_pending, self.likes_due_at = 0, None

    @validates("body")
    def _forget_html(self, _name: str, body: str) -> str:
        """Drop the HTML of the old text, so that no code can set a text and keep the old HTML."""
        self.html, self.html_key, self.mentioned = None, None, []
        return body

    def write(self, body: str, rendering: Rendering) -> None:
        """Set the text and its rendering."""
        self.body = body
        self.store_rendering(rendering)

    def store_rendering(self, rendering: Rendering) -> None:
        """Store the rendering of the text."""
        for name, value in rendered_columns(self.body, rendering).items():
            setattr(self, name, value)

    def shown(self) -> tuple[str, bool]:
        """(the text as HTML, whether it is plain).

        A text without stored HTML is rendered now if it is light. A heavy one is shown as typed until
        `app.comments.rerender` renders it.
        """
        html = self.html
        if self.html_key != markdown.key(self.body):
            html = None if markdown.is_heavy(self.body) else markdown.render(self.body, self.mentioned).html
        return (markdown.plain_html(self.body), True) if html is None else (html, False)

    def excerpt(self) -> str:
        """The beginning of its text, for the people whom it notifies."""
        return excerpts.excerpt(self.shown()[0])

    def erase(self) -> None:
        self.body = self.username = ""
        self.author_role = Role.MEMBER
        self.html_key = markdown.key("")
        self.likes_count = self.likes_pending = 0

    def tombstone(self) -> Tombstone | Removed:
        tombstone = super().tombstone()
        return {**tombstone, "removed_by": Remover.MODERATOR} if self.remover is Remover.MODERATOR else tombstone


def rendered_columns(body: str, rendering: Rendering) -> dict[str, Any]:
    """The columns that store the rendering of this text."""
    return {"html": rendering.html, "html_key": markdown.key(body), "mentioned": list(rendering.mentioned)}


# `Comment.counts`, in a query.
SHOWN_TO_ALL = Comment.deleted_at.is_(None) & Comment.hidden_at.is_(None)

# Tombstones of the previous release, which does not know `html` and so does not erase it. Maintenance erases it.
_LEFT = Comment.deleted_at.is_not(None) & Comment.html.is_not(None)
Index("ix_comments_html_left", Comment.id, postgresql_where=_LEFT, sqlite_where=_LEFT)


def visible(comment: Comment, kind: Kind) -> bool:
    """Whether this kind of viewer may see it: only its author and moderators see a hidden comment."""
    return comment.hidden_at is None or kind is not PUBLIC


UuidText = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class RenderedComment(Tombstone):
    """A comment for its viewer."""

    body: str
    html: Annotated[str, Field(description="The body as safe HTML, rendered from Markdown.")]
    plain: Annotated[bool, Field(description="Whether the body has no Markdown in it.")]
    user_id: UUID | None
    username: str
    role: Annotated[Role | None, Field(description="The author's role, if it is `moderator` or `owner`.")]
    likes_count: Count
    parent_id: Annotated[UUID | None, Field(description="The comment that it replies to.")]
    path: Annotated[
        list[UuidText], Field(description="The comments above it, from the top down.", max_length=MAX_DEPTH)
    ]
    created_at: datetime
    updated_at: datetime
    edited: bool
    hidden: Annotated[bool, Field(description="By a moderator: only its author and moderators see it.")]
    current_user_can_edit: bool


class LikesChanged(Tombstone):
    """An update in which only the number of likes has changed."""

    likes_count: Count


def render(comment: Comment) -> RenderedComment:
    """A comment for everybody but its author: the same members in REST responses, pages and events."""
    html, plain = comment.shown()
    return {
        **Live.tombstone(comment),
        "body": comment.body,
        "html": html,
        "plain": plain,
        "user_id": comment.user_id,
        "username": comment.username,
        "role": comment.author_role if comment.author_role in MODERATING else None,
        "likes_count": comment.likes_count,
        "parent_id": comment.parent_id,
        "path": comment.path,
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "edited": comment.edited,
        "hidden": comment.hidden_at is not None,
        "current_user_can_edit": False,
    }


FOR_AUTHOR = {"current_user_can_edit": True}


def render_likes(comment: Comment) -> LikesChanged:
    """The number of likes and the comment's id: enough for a client if nothing else has changed."""
    return {**Live.tombstone(comment), "likes_count": comment.likes_count}


COMMENT = LiveModel(
    "comment", Comment, render, visible, lambda topic: topic.is_place, render_likes, FOR_AUTHOR,
    record=(deliveries_of, comment_news),
)  # fmt: skip


async def find(reading: Reading, viewer: Viewer, id: UUID) -> Comment:
    """Raises Missing for an unknown comment, a deleted one, and one that this viewer may not see."""
    return find_for(viewer, await reading.get(Comment, id))


def find_for(viewer: Viewer, comment: Comment | None) -> Comment:
    """The comment, if there is one for this viewer. Raises Missing."""
    if comment is None or not is_there_for(viewer, comment):
        raise Missing("This comment no longer exists.")
    return comment


def is_there_for(viewer: Viewer, comment: Comment) -> bool:
    """Whether the comment is not deleted, and this viewer may see it."""
    return comment.deleted_at is None and visible(comment, viewer.kind(comment.author_id))


async def read_body(parley: Parley, body: str) -> Written:
    """The rendering of the text, and the accounts that it mentions. Raises Invalid."""
    written = await mentions.read_text(parley, body)
    if not written.rendering.shows_something:
        raise Invalid("body", "Can't be empty")
    return written


@owned
async def edit(parley: Parley, editor: Viewer, id: UUID, body: str | None, seen: Seen = None) -> Comment:
    """Change the body and the excerpts of it, notify people whom it mentions, once for each comment, and withdraw the
    notifications of those whom it mentions no longer. None or the same body takes no seq.

    Raises Missing, Forbidden, Stale, and Invalid for a body that shows nothing.
    """
    while True:
        if edited := await _edit(parley, editor, id, body, seen):
            return edited


async def _edit(parley: Parley, editor: Viewer, id: UUID, body: str | None, seen: Seen) -> Comment | None:
    """None if the comment was edited before this had its locks: that may have notified people whose topics are not
    locked."""
    topic, content_seq = await _content_of(parley, id)
    written = await read_body(parley, body) if body is not None else None
    recipients = await notifications.find_recipients(parley, editor, written.mentioned, but=id) if written else {}
    async with parley.reading() as reading:
        queue = await reports.where(reading, id)
        notified = await notifications.find_notified_topics(reading, id) if written else []
    async with parley.writing(topic, *map(Topic.account, recipients), *notified, *queue) as write:
        comment = _own(await write.get(Comment, id), editor)
        refuse_stale(comment, seen)
        if comment.content_seq != content_seq:
            return None
        if body is not None and written is not None and comment.body != body:
            comment.write(body, written.rendering)
            comment.updated_at = datetime.now(UTC)
            write.update(comment)
            comment.content_seq = comment.seq
            await lock_active_user(write.session, editor)
            if queue:
                await reports.touch(write, id)
            said = comment.excerpt() if notified or recipients else ""
            if notified:
                await notifications.apply_edit(write, id, said, written.mentioned)
            if comment.counts:  # a hidden comment notifies nobody
                due_at = notifications.mail_due_at(parley)
                await notifications.notify(write, Cause(editor, id, topic, said, recipients, due_at))
    return comment


@owned
async def delete(parley: Parley, editor: Viewer, id: UUID, seen: Seen = None) -> None:
    """Delete the comment. A repeated request of its author is no error. Raises Missing, Forbidden, Stale."""
    topic = await topic_of(parley, id)
    async with removing(parley, topic, id) as write:
        comment = await write.get(Comment, id)
        if comment and comment.deleted_at and comment.user_id == editor.user_id:
            return
        comment = _own(comment, editor)
        refuse_stale(comment, seen)
        await notifications.delete_notifications(write, id)
        await leave_tombstones(write, [comment])


@asynccontextmanager
async def removing(parley: Parley, topic: Topic, id: UUID, *also: Topic) -> AsyncIterator[Write]:
    """A write that can delete or hide this comment: it holds the topics of its notifications and reports, too.

    They are found before the locks are taken. If there is another one then, this starts again. They change only under
    the lock on the comment's topic.
    """
    while True:
        async with parley.reading() as reading:
            affected = await _affected_topics(reading, id)
        async with parley.writing(topic, topic.about, *affected, *also) as write:
            if await _affected_topics(write.session, id) <= affected | {*also}:
                yield write
                return


async def _affected_topics(reading: Reading, id: UUID) -> set[Topic]:
    return {*await notifications.find_notified_topics(reading, id), *await reports.where(reading, id)}


async def erase_all(parley: Parley, user_id: UUID) -> None:
    """Erase the comments of a deleted account."""
    left = select(Comment).where(Comment.user_id == user_id, Comment.deleted_at.is_(None))
    await change_all(parley, left, leave_tombstones, also=lambda comment: [Topic.parse(comment.topic).about, QUEUE])


async def leave_tombstones(write: Write, erased: Sequence[Comment], by: Remover = Remover.AUTHOR) -> None:
    """Turn comments of one topic into tombstones, and settle their reports. The count of comments is written once.

    The write holds the comments' topic and the topic about it, and `QUEUE` if there are open reports.
    """
    counted = sum(comment.counts for comment in erased)
    for comment in erased:
        comment.removed_by = by
        write.destroy(comment)
    if counted:
        await commentables.count(write, Topic.parse(erased[0].topic), -counted)
    await reports.settle(write, *(comment.id for comment in erased))


def _own(comment: Comment | None, editor: Viewer) -> Comment:
    comment = find_for(editor, comment)
    if comment.user_id != editor.user_id:
        raise Forbidden("You can only change your own comments.")
    return comment


async def topic_of(parley: Parley, id: UUID) -> Topic:
    """The comment's topic. It never changes, so it can be read before it is locked. Raises Missing."""
    topic, _ = await _content_of(parley, id)
    return topic


async def _content_of(parley: Parley, id: UUID) -> tuple[Topic, int]:
    """(the comment's topic, its content_seq). Raises Missing."""
    async with parley.reading() as reading:
        query = select(Comment.topic, Comment.content_seq).where(Comment.id == id)
        found = (await reading.execute(query)).one_or_none()
    if found is None:
        raise Missing("This comment no longer exists.")
    return Topic.parse(found.topic), found.content_seq
