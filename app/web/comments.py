"""Comments over REST, in Backbone's conventions. The answers are a courtesy: the truth comes over the stream."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from app.live.cursors import GREATEST_SEQ
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.models import comment as comments
from app.models import thread as threads
from app.models.comment import Comment
from app.models.refusals import Missing, TooMany
from app.models.thread import Page
from app.web import limits
from app.web.answers import answer
from app.web.identity import current_viewer, parley_of, require_sign_in
from app.web.input import (
    WRITTEN,
    Id,
    Input,
    commentable_from,
    if_match,
    parse_uuid,
    query_int,
    read_input,
    topic_from,
)

Body = Annotated[str, StringConstraints(max_length=comments.LONGEST_BODY), WRITTEN]


class NewComment(Input):
    body: Body
    commentable_type: str
    commentable_id: str
    id: Id | None = None
    parent_id: Id | None = None


class Edit(Input):
    body: Body


class Patch(Input):
    body: Body = ""  # not given: nothing to change


async def index(request: Request) -> Response:
    """The newest page of a commentable's comments, or the one before `before`, with the cursor to stream from."""
    topic = commentable_from(request)
    before = query_int(request, "before", None, 1, GREATEST_SEQ)
    limit = query_int(request, "limit", threads.PAGE, 1, threads.LARGEST_PAGE) or threads.PAGE
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        page = await threads.page(reading, viewer, topic, before, limit)
    return answer(snapshot(page, viewer))


def snapshot(page: Page, viewer: Viewer) -> dict[str, Any]:
    """A page as this viewer sees it."""
    return {
        "comments": [_render(comment, viewer) for comment in page.comments],
        "ancestors": [_render_ancestor(comment, viewer) for comment in page.ancestors],
        "cursor": page.cursor,
        "before": page.before,
        "commentable": {
            "commentable_type": page.topic.type,
            "commentable_id": page.topic.id,
            "seq": page.seq,
        },
    }


async def create(request: Request) -> Response:
    viewer = await require_sign_in(request)
    new = await read_input(request, NewComment, wrapped_as="comment")
    topic = topic_from(request, new.commentable_type, new.commentable_id)
    try:
        await limits.take_own(request, limits.COMMENT)
    except TooMany:
        if new.id and (stored := await _posted(request, viewer, topic, new.id)):
            return _one(stored, viewer, 200)  # sent again, since the answer was lost: nothing new is asked
        raise
    comment, is_new = await comments.post(
        parley_of(request), viewer, topic, new.body, id=new.id or uuid4(), parent_id=new.parent_id
    )
    if presence := parley_of(request).presence:
        presence.rests(topic, viewer)
    return _one(comment, viewer, 201 if is_new else 200)


async def _posted(request: Request, viewer: Viewer, topic: Topic, id: UUID) -> Comment | None:
    async with parley_of(request).reading() as reading:
        return await comments.posted(reading, viewer, topic, id)


async def show(request: Request) -> Response:
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        comment = await comments.find(reading, viewer, id_from(request))
    return _one(comment, viewer)


async def replace(request: Request) -> Response:
    """PUT: never creates, since who writes where is fixed by POST."""
    return await _edit(request, Edit)


async def patch(request: Request) -> Response:
    return await _edit(request, Patch)


async def delete(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await limits.take_own(request, limits.COMMENT)
    await comments.delete(parley_of(request), viewer, id_from(request), if_match(request))
    return Response(status_code=204)


async def _edit(request: Request, form: type[Edit] | type[Patch]) -> Response:
    viewer = await require_sign_in(request)
    body = (await read_input(request, form, wrapped_as="comment")).body
    await limits.take_own(request, limits.COMMENT)
    comment = await comments.edit(parley_of(request), viewer, id_from(request), body or None, if_match(request))
    return _one(comment, viewer)


def id_from(request: Request) -> UUID:
    """Which comment the path names. Raises Missing for what is no id."""
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing("There is no such comment.")
    return id_


def _one(comment: Comment, viewer: Viewer, status: int = 200) -> Response:
    headers = {"ETag": f'"{comment.seq}"'}
    if status == 201:
        headers["Location"] = f"/api/comments/{comment.id}"
    return answer(_render(comment, viewer), status, headers)


def _render(comment: Comment, viewer: Viewer) -> dict[str, Any]:
    return comments.render(comment, viewer.kind(comment.author_id))


def _render_ancestor(comment: Comment, viewer: Viewer) -> dict[str, Any]:
    """What others are drawn under, whatever is left of it for this viewer."""
    if comments.is_there_for(viewer, comment):
        return _render(comment, viewer)
    return {**comment.tombstone(), "parent_id": comment.parent_id, "path": comment.path, "deleted": True}
