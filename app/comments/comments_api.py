"""Comments over REST, in Backbone's conventions. A client also gets every change over its stream."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import current_viewer, parley_of, require_sign_in
from app.commentables import host_pages
from app.comments import comments, threads
from app.comments.comments import Comment
from app.comments.threads import Page
from app.errors import Missing, TooMany
from app.http import rate_limits
from app.http.problems import invalid
from app.http.requests import (
    SAID_WRITTEN,
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
from app.http.responses import answer
from app.live.cursors import MAX_SEQ
from app.live.topics import Topic
from app.live.viewers import Viewer

Body = Annotated[str, StringConstraints(max_length=comments.MAX_BODY_LENGTH), WRITTEN, SAID_WRITTEN]


# Bytes: the longest comment as `\\u` escapes, with 12 bytes for a character above U+FFFF, and 10 KB for the rest.
MAX_BODY_BYTES = 12 * comments.MAX_BODY_LENGTH + 10_240


# Query parameters that select a window of a thread (`app.comments.threads`).
WINDOW = ("before", "after", "around")


class NewComment(Input):
    largest = MAX_BODY_BYTES
    body: Body
    commentable_type: str
    commentable_id: str
    id: Id | None = None
    parent_id: Id | None = None
    page: host_pages.NewHostPage | None = None


class Edit(Input):
    largest = MAX_BODY_BYTES
    body: Body


class Patch(Input):
    largest = MAX_BODY_BYTES
    body: Body = ""  # not given: nothing to change


async def index(request: Request) -> Response:
    """A page of a commentable's comments, by default the newest, with the cursor to stream from."""
    topic = commentable_from(request)
    where = window_from(request)
    limit = query_int(request, "limit", threads.PAGE, 1, threads.MAX_PAGE_SIZE) or threads.PAGE
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        page = await threads.page(reading, viewer, topic, limit=limit, **where)
    return answer(snapshot(page, viewer))


def window_from(request: Request) -> dict[str, Any]:
    """The window of a thread that the query names: at most one of WINDOW. Raises Problem 422."""
    named = [name for name in WINDOW if name in request.query_params]
    if len(named) > 1:
        raise invalid(*((name, "Use only one of before, after and around") for name in named))
    around = request.query_params.get("around")
    if around is not None:
        if (id_ := parse_uuid(around)) is None:
            raise invalid(("around", "Must be the id of a comment"))
        return {"around": id_}
    before = query_int(request, "before", None, 1, MAX_SEQ)
    return {"before": before, "after": query_int(request, "after", None, 0, MAX_SEQ)}


def snapshot(page: Page, viewer: Viewer) -> dict[str, Any]:
    """A page, rendered for this viewer."""
    return {
        "comments": [threads.render(comment, viewer) for comment in page.comments],
        "ancestors": _ancestors(page.ancestors, viewer),
        "cursor": page.cursor,
        "before": page.before,
        "after": page.after,
        "commentable": {
            "commentable_type": page.topic.type,
            "commentable_id": page.topic.id,
            "seq": page.seq,
        },
    }


async def create(request: Request) -> Response:
    viewer = await require_sign_in(request)
    new = await read_input(request, NewComment, wrapped_as="comment")
    comment, is_new = await post(request, viewer, topic_from(request, new.commentable_type, new.commentable_id), new)
    return _one(comment, viewer, 201 if is_new else 200)


async def post(request: Request, viewer: Viewer, topic: Topic, new: NewComment) -> tuple[Comment, bool]:
    """Run `comments.post` with rate limits. Also raises TooMany."""
    try:
        await rate_limits.take_own(request, rate_limits.COMMENT)
    except TooMany:
        if new.id and (stored := await _posted(request, viewer, topic, new.id)):
            return stored, False  # the client repeats a request whose response was lost
        raise
    comment, is_new = await comments.post(
        parley_of(request),
        viewer,
        topic,
        new.body,
        id=new.id or uuid4(),
        parent_id=new.parent_id,
        page=host_pages.page_from(request, new.page),
    )
    if presence := parley_of(request).presence:
        presence.stop_typing(topic, viewer)
    return comment, is_new


async def _posted(request: Request, viewer: Viewer, topic: Topic, id: UUID) -> Comment | None:
    async with parley_of(request).reading() as reading:
        return await comments.posted(reading, viewer, topic, id)


async def show(request: Request) -> Response:
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        comment = await comments.find(reading, viewer, id_from(request))
    return _one(comment, viewer)


async def ancestors(request: Request) -> Response:
    """The comments above a comment, for a client that got it over the stream without its ancestors."""
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        comment = await comments.find(reading, viewer, id_from(request))
        above = await threads.ancestors_of(reading, [comment])
    return answer({"ancestors": _ancestors(above, viewer)})


async def replace(request: Request) -> Response:
    """PUT never creates a comment, because only POST sets its author and topic."""
    return await _edit(request, Edit)


async def patch(request: Request) -> Response:
    return await _edit(request, Patch)


async def delete(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await rate_limits.take_own(request, rate_limits.COMMENT)
    await comments.delete(parley_of(request), viewer, id_from(request), if_match(request))
    return Response(status_code=204)


async def _edit(request: Request, form: type[Edit] | type[Patch]) -> Response:
    viewer = await require_sign_in(request)
    body = (await read_input(request, form, wrapped_as="comment")).body
    await rate_limits.take_own(request, rate_limits.COMMENT)
    comment = await comments.edit(parley_of(request), viewer, id_from(request), body or None, if_match(request))
    return _one(comment, viewer)


def id_from(request: Request) -> UUID:
    """The comment's id in the path. Raises Missing if it is not an id."""
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing("This comment no longer exists.")
    return id_


def _one(comment: Comment, viewer: Viewer, status: int = 200) -> Response:
    headers = {"ETag": f'"{comment.seq}"'}
    if status == 201:
        headers["Location"] = f"/api/comments/{comment.id}"
    return answer(threads.render(comment, viewer), status, headers)


def _ancestors(ancestors: list[Comment], viewer: Viewer) -> list[dict[str, Any]]:
    return [threads.render_ancestor(comment, viewer) for comment in ancestors]
