"""Posting: stores the new comments of several requests in one transaction (`app.live.write.group_commit`).

1. All checks are made under the locks of the group. A comment that fails one of them gets its own outcome, and the
   others are stored.
2. The database may refuse a row, because its id is taken on another topic at the same moment. Then each comment of the
   group is written alone, with the same checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app import logs
from app.accounts.logins import lock_active_users
from app.among import among
from app.commentables import commentables
from app.commentables.commentables import Conversation, HostPage
from app.comments.comments import COMMENT, MAX_DEPTH, Comment, is_there_for, read_body, rendered_columns
from app.database import Reading
from app.errors import Conflict, Invalid, Refusal, SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.group_commit import GroupWrite
from app.live.write.transaction import owned
from app.notifications import notifications
from app.notifications.notifications import Cause, Recipients


@dataclass(frozen=True)
class Draft:
    """A comment that is not stored yet. `page` is the host's page in which it was written."""

    comment: Comment
    author: Viewer
    topic: Topic
    page: HostPage | None
    recipients: Recipients
    mail_due_at: datetime  # to the recipients

    @property
    def cause(self) -> Cause:
        author, comment = replace(self.author, username=self.comment.username), self.comment
        return Cause(author, comment.id, self.topic, comment.excerpt(), self.recipients, self.mail_due_at)


@owned
async def post(
    parley: Parley,
    author: Viewer,
    topic: Topic,
    body: str,
    id: UUID,
    parent_id: UUID | None = None,
    page: HostPage | None = None,
) -> tuple[Comment, bool]:
    """(the comment, whether it is new). If its author posts the same id on its topic again, returns the stored comment.

    Raises Conflict for any other use of the id, Invalid for a parent that is not on the topic and for a body that shows
    nothing, SignInFirst if the author's login has ended, and Forbidden if the conversation is locked.
    """
    draft = await _draft(parley, author, topic, body, id, parent_id, page)
    try:
        outcome = await parley.write_together(_store, draft)
    except IntegrityError:  # the id was taken on another topic at the same moment
        raise _taken() from None
    if isinstance(outcome, Refusal):
        raise outcome
    if not outcome:
        async with parley.reading() as reading:
            if stored := await posted(reading, author, topic, id):
                return stored, False
        raise _taken()
    logs.note(gid=COMMENT.gid(draft.comment))
    return draft.comment, True


async def posted(reading: Reading, author: Viewer, topic: Topic, id: UUID) -> Comment | None:
    """The stored comment if `post` would return it without writing, or None. Raises Conflict as `post` does."""
    stored = await reading.get(Comment, id)
    if stored and (stored.deleted_at or stored.user_id != author.user_id or stored.topic != str(topic)):
        raise _taken()
    return stored


def _taken() -> Conflict:
    return Conflict("This id is already in use.")


# -- before the locks -----------------------------------------------------------------------------------------


async def _draft(
    parley: Parley, author: Viewer, topic: Topic, body: str, id: UUID, parent_id: UUID | None, page: HostPage | None
) -> Draft:
    """Render the text, and look up the people to notify. Raises SignInFirst, and Invalid for the body."""
    if author.user_id is None or author.username is None:
        raise SignInFirst
    parent_author_id = await parley.read_together(_read_authors, parent_id) if parent_id else None
    written = await read_body(parley, body)
    recipients = await notifications.find_recipients(parley, author, written.mentioned, parent_author_id)
    now = datetime.now(UTC)
    own = {"id": id, "topic": str(topic), "user_id": author.user_id, "parent_id": parent_id, "body": body}
    times = {"created_at": now, "updated_at": now}
    comment = Comment.plain(_BLANK | own | times | rendered_columns(body, written.rendering))
    return Draft(comment, author, topic, page, recipients, notifications.mail_due_at(parley))


async def _read_authors(connection: AsyncConnection, ids: list[UUID]) -> list[UUID | None]:
    """The author of each of these comments; None if there is no such comment."""
    rows = await connection.execute(select(Comment.id, Comment.user_id).where(among(Comment.id, values=ids)))
    found: dict[UUID, UUID | None] = {row.id: row.user_id for row in rows}
    return [found.get(id_) for id_ in ids]


# -- under the locks ------------------------------------------------------------------------------------------


def _store(write: GroupWrite, drafts: Sequence[Draft]) -> list[bool | Refusal]:
    """For each draft whether it is stored now, or the reason why not. False: its id is in use already."""
    topics = Counter(draft.topic for draft in drafts)
    notified = Counter(Topic.account(id_) for draft in drafts for id_ in draft.recipients)
    write.lock({**topics, **{topic.about: 1 for topic in topics}, **notified})
    bylines = lock_active_users(write.connection, [draft.author for draft in drafts])
    conversations = commentables.read_together(write.connection, topics)
    ids = [id for draft in drafts for id in (draft.comment.id, draft.comment.parent_id) if id]
    known: dict[UUID, Any] = {row.id: row for row in write.connection.execute(_FIND, {"ids": ids})}
    stored: list[Draft] = []
    outcomes: list[bool | Refusal] = []
    for draft in drafts:
        comment = draft.comment
        is_new = comment.id not in known
        try:
            if is_new:
                _complete(draft, bylines.get(draft.author), conversations[draft.topic], known)
                write.create(comment)
                vars(comment).update(content_seq=comment.seq)
                known[comment.id] = comment
                stored.append(draft)
            outcomes.append(is_new)
        except Refusal as refusal:
            outcomes.append(refusal)
    commentables.store_together(write, {draft.topic: conversations[draft.topic] for draft in stored})
    for new in notifications.find_new(
        write.connection, [draft.cause for draft in stored if draft.recipients], conversations
    ):
        write.create(new)
    return outcomes


def _complete(draft: Draft, byline: Any, conversation: Conversation, known: Mapping[UUID, Any]) -> None:
    """Set what depends on other rows, and count the comment. Raises what `post` does."""
    comment = draft.comment
    if byline is None:
        raise SignInFirst
    parent = known.get(comment.parent_id) if comment.parent_id else None
    if comment.parent_id and not (parent and parent.topic == comment.topic and is_there_for(draft.author, parent)):
        raise Invalid("parent_id", "This comment no longer exists.")
    commentables.count_new(conversation, draft.author, draft.page)
    path = [*parent.path, str(parent.id)][:MAX_DEPTH] if parent else []
    vars(comment).update(path=path, username=byline.username, author_role=byline.role)


_BLANK = {**dict.fromkeys(Comment.__table__.columns.keys()), "likes_count": 0, "likes_pending": 0}

# The columns of a comment that `_complete` reads.
_FIND = select(
    Comment.id, Comment.topic, Comment.user_id.label("author_id"), Comment.path, Comment.deleted_at, Comment.hidden_at
).where(among(Comment.id, "ids"))
