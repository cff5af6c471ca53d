"""Posting: stores the new comments of several requests in one transaction (`app.live.write.group_commit`).

The group makes all checks of `comments.store`, under the same locks. A comment that fails one of them goes through
`comments.store`, which finds the reason. So do comments that are rare: the first one of a conversation, the first one
from a host's page, and one that its client sends again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from app import logs
from app.accounts.logins import lock_active_users
from app.commentables import commentables
from app.commentables.commentables import HostPage
from app.comments import comments
from app.comments.comments import COMMENT, Comment, Draft, may_reply
from app.database import pad
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.group_commit import GroupWrite
from app.live.write.transaction import owned
from app.notifications import notifications
from app.notifications.notifications import Recipients


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
    """Like `comments.post`, together with other comments that are posted now."""
    draft = await comments.draft(parley, author, topic, body, id, parent_id, page)
    if not await parley.write_together(_store, draft):
        return await comments.store(parley, draft)
    logs.note(gid=COMMENT.gid(draft.comment))
    return draft.comment, True


def _store(write: GroupWrite, drafts: Sequence[Draft]) -> list[bool]:
    topics = Counter(draft.topic for draft in drafts)
    notified = Counter(Topic.account(id_) for draft in drafts for id_ in draft.recipients)
    write.lock({**topics, **{topic.about: 1 for topic in topics}, **notified})
    bylines = lock_active_users(write.connection, [draft.author for draft in drafts])
    conversations = commentables.read_together(write.connection, topics)
    ids = [id for draft in drafts for id in (draft.comment.id, draft.comment.parent_id) if id]
    known: dict[UUID, Any] = {row.id: row for row in write.connection.execute(_FIND, {"ids": pad(ids)})}
    stored = []
    for draft in drafts:
        byline, comment = bylines.get(draft.author), draft.comment
        if byline and _is_regular(draft, conversations.get(draft.topic), known):
            comment.username, comment.author_role = byline.username, byline.role
            write.create(comment)
            comment.content_seq = comment.seq
            known[comment.id] = comment
            stored.append(draft)
    commentables.count_together(write, conversations, Counter(draft.topic for draft in stored))
    notifications.notify_together(write, map(_cause, stored), conversations)
    return [known.get(draft.comment.id) is draft.comment for draft in drafts]


def _cause(draft: Draft) -> tuple[Viewer, UUID, Topic, datetime, Recipients]:
    author = replace(draft.author, username=draft.comment.username)
    return author, draft.comment.id, draft.topic, draft.mail_due_at, draft.recipients


def _is_regular(draft: Draft, conversation: Any, known: Mapping[UUID, Any]) -> bool:
    comment = draft.comment
    if conversation is None or not commentables.takes(conversation, draft.author, draft.page) or comment.id in known:
        return False
    if comment.parent_id is None:
        return True
    return bool(comment.path) and may_reply(draft.author, draft.topic, known.get(comment.parent_id))


# The columns that `may_reply` reads.
_FIND = select(
    Comment.id, Comment.topic, Comment.user_id.label("author_id"), Comment.deleted_at, Comment.hidden_at
).where(Comment.id.in_(bindparam("ids", expanding=True)))
