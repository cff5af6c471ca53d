"""Notifications: somebody replied to the recipient, or mentioned them. They are on the recipient's account topic.

A notification is written in the transaction of its comment, and deleted with the comment. It contains the comment's
author, its place, and an excerpt of its text, which each edit replaces.

1. The recipients are looked up before anything is locked, because their topics are locked together with the comment's.
   They are checked again under the locks: an account that was deleted or blocked meanwhile gets no notification.
2. Creating and deleting the notifications of a comment requires the lock on the comment's topic. So the recipients of a
   comment change only under that lock, except when an account is deleted.
3. A release without excerpts may still run, and delete a notification with its excerpt. `erase_left` erases that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field
from sqlalchemy import Connection, Index, String, bindparam, func, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.user import MAX_USERNAME_LENGTH, User
from app.among import among
from app.commentables import commentables
from app.commentables.commentables import MAX_TITLE_LENGTH, MAX_URL, Commentable, Conversation
from app.comments import excerpts
from app.comments.mentions import MAX_MENTIONS
from app.database import Base, Instant, Reading, Writing
from app.live.model import MAX_TOPIC_LENGTH, Live, LiveModel, Tombstone, is_account, render_as, to_its_author
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.batches import change_all
from app.live.write.transaction import Write
from app.notifications import mutes

MAX_RECIPIENTS = MAX_MENTIONS + 1  # recipients of one comment, including its edits
LIMIT_WINDOW = timedelta(minutes=10)  # for the next two limits
MAX_FROM_ONE_TO_ONE = 20  # notifications from one author's comments for one person
MAX_FROM_ONE = 100  # notifications from one author's comments for all people together


class About(StrEnum):
    """The reason of a notification."""

    REPLY = "reply"
    MENTION = "mention"


class Notification(Live, Base):
    __tablename__ = "notifications"

    user_id: Mapped[UUID]  # the recipient
    kind: Mapped[About] = mapped_column(String(10))  # read as a plain string
    comment_id: Mapped[UUID] = mapped_column(index=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH))  # the comment's topic
    # The title and the host's page of the topic, at the time of the comment.
    title: Mapped[str] = mapped_column(String(MAX_TITLE_LENGTH), default="", server_default=text("''"))
    url: Mapped[str] = mapped_column(String(MAX_URL), default="", server_default=text("''"))
    actor_id: Mapped[UUID]  # the author of the comment
    actor_name: Mapped[str] = mapped_column(String(MAX_USERNAME_LENGTH))
    excerpt: Mapped[str] = mapped_column(String(excerpts.MAX_LENGTH + 1), default="", server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    read_at: Mapped[datetime | None] = mapped_column(Instant)
    mail_due_at: Mapped[datetime | None] = mapped_column(Instant)  # None: `app.reply_mail` has decided about mail
    mail_id: Mapped[UUID | None]  # the mail about it

    @property
    def author_id(self) -> UUID:
        return self.user_id

    @property
    def read(self) -> bool:
        return self.read_at is not None

    def erase(self) -> None:
        self.actor_name = self.title = self.url = self.excerpt = ""
        self.mail_due_at = None

    def tombstone(self) -> Tombstone:
        place = Topic.parse(self.place)
        return {**super().tombstone(), "commentable_type": place.type, "commentable_id": place.id}


# For `_MADE`, and for finding all notifications from one author.
Index("ix_notifications_actor_id_created_at", Notification.actor_id, Notification.created_at)

# For `app.reply_mail`. A notification is in the first two until its mail is decided, and in the last after that.
for _name, _column, _where in (
    ("mail_due_at", Notification.mail_due_at, Notification.mail_due_at.is_not(None)),
    ("user_id_without_mail", Notification.user_id, Notification.mail_due_at.is_not(None)),
    ("mail_id", Notification.mail_id, Notification.mail_id.is_not(None)),
):
    Index(f"ix_notifications_{_name}", _column, postgresql_where=_where, sqlite_where=_where)

_LEFT = Notification.deleted_at.is_not(None) & (Notification.excerpt != "")  # (3)
Index("ix_notifications_excerpt_left", Notification.id, postgresql_where=_LEFT, sqlite_where=_LEFT)


class RenderedNotification(Tombstone):
    """Somebody replied to you, or mentioned you."""

    kind: About
    comment_id: UUID
    title: str
    url: Annotated[str, Field(description="The host's page with the conversation at that time; empty if unknown.")]
    actor_name: str
    excerpt: Annotated[
        str,
        Field(description="The beginning of the comment as plain text; empty if a release without excerpts wrote it."),
    ]
    created_at: datetime
    read: bool


render = render_as(Notification, RenderedNotification)
NOTIFICATION = LiveModel("notification", Notification, render, to_its_author, lives_on=is_account)

# The people to notify of a comment, and the reason for each.
Recipients = Mapping[UUID, About]


@dataclass(frozen=True, slots=True)
class Cause:
    """A comment that notifies people."""

    author: Viewer
    comment_id: UUID
    place: Topic
    excerpt: str
    recipients: Recipients
    mail_due_at: datetime  # to the recipients


def id_of(user_id: UUID, comment_id: UUID) -> UUID:
    """The id of a new notification. It includes the model's name, because the id of a like is made from the same person
    and comment. Older rows have other ids, so earlier notifications are looked up by person and comment."""
    return uuid5(user_id, f"notification/{comment_id}")


# -- notify -------------------------------------------------------------------------------------------------


async def find_recipients(
    parley: Parley,
    author: Viewer,
    mentioned: Sequence[UUID],
    parent_author_id: UUID | None = None,
    but: UUID | None = None,
) -> Recipients:
    """The people to notify of a comment: the people whom it mentions, and the author of its parent. Its own author is
    left out, and so are people who were notified of the comment `but` before."""
    recipients = dict.fromkeys(mentioned, About.MENTION)
    if parent_author_id is not None:
        recipients[parent_author_id] = About.REPLY
    known = {author.user_id}
    if recipients and but:
        async with parley.reading() as reading:
            known |= await _notified_before(reading, but)
    return {id_: about for id_, about in recipients.items() if id_ not in known}


def mail_due_at(parley: Parley) -> datetime:
    """When mail about a notification of this moment is due."""
    return datetime.now(UTC) + timedelta(seconds=parley.settings.reply_mail_delay_seconds)


async def notify(write: Write, cause: Cause) -> None:
    """Notify people whom an edited comment mentions, if they were not notified of it before."""
    if not cause.recipients:
        return
    await write.session.flush()
    commentable = (await commentables.of(write.session, [cause.place]))[cause.place]
    already = await _notified_before(write.session, cause.comment_id)
    connection = await write.session.connection()
    for new in await connection.run_sync(find_new, [cause], {cause.place: commentable}, already):
        write.create(new)


def find_new(
    connection: Connection,
    causes: Sequence[Cause],
    conversations: Mapping[Topic, Commentable | Conversation],
    already: Collection[UUID] = (),
) -> list[Notification]:
    """The notifications to create: for the active accounts among the recipients, except `already`, within the limits.
    The transaction holds their topics and those of the comments."""
    if not causes:
        return []
    now, new = datetime.now(UTC), []
    people = {id_ for cause in causes for id_ in cause.recipients}
    actors = {cause.author.user_id for cause in causes}
    there = set(connection.scalars(_ACTIVE, {"people": people})) - set(already)
    muting = mutes.find_muting(connection, actors, people)
    made: defaultdict[UUID | None, Counter[UUID]] = defaultdict(Counter)
    for row in connection.execute(_MADE, {"actors": actors, "since": now - LIMIT_WINDOW}):
        made[row.actor_id][row.user_id] = row.number
    for cause in causes:
        by = cause.author.user_id
        wanted = [id_ for id_ in cause.recipients if id_ in there and (id_, by) not in muting]
        for user_id in _within_limits(made[by], wanted)[: MAX_RECIPIENTS - len(already)]:
            new.append(_new(user_id, cause, conversations[cause.place], now))
            made[by][user_id] += 1
    return new


def _new(user_id: UUID, cause: Cause, commentable: Commentable | Conversation, now: datetime) -> Notification:
    return Notification(
        id=id_of(user_id, cause.comment_id), topic=str(Topic.account(user_id)), user_id=user_id,
        kind=cause.recipients[user_id], comment_id=cause.comment_id, place=str(cause.place), title=commentable.title,
        url=commentable.url, actor_id=cause.author.user_id, actor_name=cause.author.username, excerpt=cause.excerpt,
        created_at=now, mail_due_at=cause.mail_due_at,
    )  # fmt: skip


def _within_limits(made: Mapping[UUID, int], wanted: list[UUID]) -> list[UUID]:
    """The people in `wanted` whom an author may notify now. The others get no notification of the comment.

    `made` is the number of recent notifications that each person got from the author. Deleted ones count, too, so a
    person who deletes comments cannot send more.
    """
    allowed = [id_ for id_ in wanted if made.get(id_, 0) < MAX_FROM_ONE_TO_ONE]
    return allowed[: max(0, MAX_FROM_ONE - sum(made.values()))]


_ACTIVE = select(User.id).where(among(User.id, "people"), User.deleted_at.is_(None), User.blocked_at.is_(None))
_MADE = (
    select(Notification.actor_id, Notification.user_id, func.count().label("number"))
    .where(
        among(Notification.actor_id, "actors"),
        Notification.created_at > bindparam("since", type_=Instant),
    )
    .group_by(Notification.actor_id, Notification.user_id)
)


async def _notified_before(reading: Reading, comment_id: UUID) -> set[UUID]:
    return set((await reading.scalars(select(Notification.user_id).where(_of(comment_id)))).all())


# -- change and delete --------------------------------------------------------------------------------------


async def find_notified_topics(reading: Reading, comment_id: UUID) -> list[Topic]:
    """The topics with notifications of this comment. A write that edits or deletes it must lock them."""
    people = await reading.scalars(select(Notification.user_id).where(*_present(comment_id)))
    return [Topic.account(id_) for id_ in people]


async def apply_edit(write: Write, comment_id: UUID, excerpt: str, mentioned: Collection[UUID]) -> None:
    """Put the new excerpt into the notifications of an edited comment. Withdraw those of people whom it mentions no
    longer. The write holds their topics."""
    for row in await _read_present(write, comment_id):
        if row.kind == About.MENTION and row.user_id not in mentioned:
            write.destroy(row)
        elif row.excerpt != excerpt:
            row.excerpt = excerpt
            write.update(row)


async def delete_notifications(write: Write, comment_id: UUID) -> None:
    """Delete the notifications of a comment. The write holds their topics and the comment's."""
    await _destroy(write, await _read_present(write, comment_id))


async def clean_up_account(parley: Parley, user_id: UUID, erase: bool) -> None:
    """Delete the notifications of a deleted account, and with `erase` those that its comments caused."""
    theirs = Notification.topic == str(Topic.account(user_id))
    left = theirs | (Notification.actor_id == user_id) if erase else theirs
    await change_all(parley, select(Notification).where(left, Notification.deleted_at.is_(None)), _destroy)


async def _destroy(write: Write, rows: Sequence[Notification]) -> None:
    for row in rows:
        write.destroy(row)


async def erase_left(writing: Writing) -> None:
    """Erase the excerpts of deleted notifications (3)."""
    await writing.execute(update(Notification).where(_LEFT).values(excerpt=""))


async def _read_present(write: Write, comment_id: UUID) -> Sequence[Notification]:
    return (await write.session.scalars(select(Notification).where(*_present(comment_id)))).all()


def _present(comment_id: UUID) -> tuple[Any, ...]:
    return _of(comment_id), Notification.deleted_at.is_(None)


def _of(comment_id: UUID) -> Any:
    return Notification.comment_id == comment_id
