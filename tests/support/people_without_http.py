"""Named people with accounts, without HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from app.accounts import accounts
from app.accounts.logins import viewer_of
from app.comments import comments, posting
from app.comments.comments import Comment
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer

ARTICLE = Topic("Article", "1")


async def create_viewer(parley: Parley, name: str) -> Viewer:
    """Sign `name` up, and return the viewer of the new login."""
    made = await accounts.sign_up(parley, f"{name}@example.com", name, "talk among friends")
    assert isinstance(made, tuple)
    async with parley.reading() as reading:
        viewer, _ = await viewer_of(reading, made[1].id)
    return viewer


def id_in(viewer: Viewer) -> UUID:
    assert viewer.user_id
    return viewer.user_id


async def post_comment(parley: Parley, author: Viewer, body: str, topic: Topic = ARTICLE) -> Comment:
    comment, _ = await posting.post(parley, author, topic, body, uuid4())
    return comment


async def edit_comment(parley: Parley, author: Viewer, comment: Comment, body: str) -> Comment:
    return await comments.edit(parley, author, comment.id, body)


async def delete_comment(parley: Parley, author: Viewer, comment: Comment) -> None:
    await comments.delete(parley, author, comment.id)


async def hide_comment(parley: Parley, comment_id: UUID | str, hidden: bool = True) -> None:
    """Hide a comment of `ARTICLE`, or show it again, without a moderator, an audit entry or a notification."""
    async with parley.writing(ARTICLE) as write:
        row = await write.get(Comment, UUID(str(comment_id)))
        assert row
        row.hidden_at = datetime.now(UTC) if hidden else None
        write.update(row)
