"""Comments over REST, in Backbone's conventions. A client also gets every change over its stream."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import Field, StringConstraints
from pydantic_core import to_json
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import current_viewer, parley_of
from app.commentables import host_pages
from app.comments import comments, posting, threads
from app.comments.comments import COMMENT, Comment, RenderedComment
from app.comments.guest_cache import GuestCache, Key
from app.comments.threads import Ancestor, Counters, Page
from app.errors import TooMany
from app.http import rate_limits
from app.http.endpoints import Endpoint
from app.http.parameters import BEFORE, LIMIT, PLACE, Parameter, WholeNumber
from app.http.problems import invalid
from app.http.requests import (
    WRITTEN,
    WRITTEN_SCHEMA,
    Id,
    Input,
    commentable_from,
    if_match,
    parse_uuid,
    path_id,
    topic_from,
)
from app.http.responses import ETAG, Json, etag
from app.http.schemas import Before, Cursor
from app.live.model import Seq
from app.live.topics import Topic
from app.live.viewers import Viewer

Body = Annotated[str, StringConstraints(max_length=comments.MAX_BODY_LENGTH), WRITTEN, WRITTEN_SCHEMA]

# Bytes: the longest comment as `\\u` escapes, with 12 bytes for a character above U+FFFF, and 10 KB for the rest.
MAX_BODY_BYTES = 12 * comments.MAX_BODY_LENGTH + 10_240

# Query parameters that select a window of a thread (`app.comments.threads`).
AFTER = WholeNumber("after", "Only comments that were created after this seq.", least=0)
AROUND = Parameter(
    "around",
    {"type": "string", "format": "uuid"},
    "The comments around this one, or around its place if it was deleted.",
)
WINDOW = (BEFORE, AFTER, AROUND)


class NewComment(Input):
    wrapped_as = "comment"
    max_bytes = MAX_BODY_BYTES
    body: Body
    commentable_type: str
    commentable_id: str
    id: Id | None = None
    parent_id: Id | None = None
    page: host_pages.NewHostPage | None = None


class Edit(Input):
    wrapped_as = "comment"
    max_bytes = MAX_BODY_BYTES
    body: Body


class Patch(Edit):
    body: Body = ""  # not given: nothing to change


class Place(TypedDict):
    commentable_type: str
    commentable_id: str
    seq: Seq


class Comments(TypedDict):
    """A page of a thread: a snapshot, and its cursor."""

    comments: Annotated[list[RenderedComment], Field(description="In order of creation.")]
    ancestors: Annotated[list[Ancestor], Field(description="Ancestors of these comments that are not in the page.")]
    cursor: Cursor
    before: Before
    after: Annotated[int | None, Field(description="The `after=` of the next page; null at the live end.")]
    commentable: Place


class Ancestors(TypedDict):
    ancestors: list[Ancestor]


@Endpoint("GET /api/comments", [*PLACE, *WINDOW, LIMIT], refuses=[404])
async def index(request: Request) -> Json[Comments]:
    """List a page of comments.

    By default they are the newest. Use at most one of `before`, `after` and `around` for another page. A stream with
    the cursor continues exactly from the page. If nobody has commented on the commentable yet, the page is empty.
    """
    topic = commentable_from(request)
    where = window_from(request)
    limit = LIMIT.read(request) or threads.PAGE
    viewer = await current_viewer(request)

    async def render(counters: Counters | None = None) -> bytes:
        page = await parley_of(request).database.load(
            lambda reading: threads.page(reading, viewer, topic, limit=limit, counters=counters, **where)
        )
        return to_json(snapshot(page, viewer))

    if viewer.signed_in:
        return Json(await render())
    return Json(await guest_cache_of(request).get(Key(topic, (limit, *where.items())), render))


def guest_cache_of(request: Request) -> GuestCache:
    guest_cache: GuestCache = request.app.state.guest_cache
    return guest_cache


def window_from(request: Request) -> dict[str, Any]:
    """The window of a thread that the query names: at most one of WINDOW. Raises Problem 422."""
    named = [one.name for one in WINDOW if one.name in request.query_params]
    if len(named) > 1:
        raise invalid(*((name, "Use only one of before, after and around") for name in named))
    around = request.query_params.get("around")
    if around is not None:
        if (id_ := parse_uuid(around)) is None:
            raise invalid(("around", "Must be the id of a comment"))
        return {"around": id_}
    return {"before": BEFORE.read(request), "after": AFTER.read(request)}


def snapshot(page: Page, viewer: Viewer) -> Comments:
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


LOCATION = {"Location": "The path of a new comment."}


@Endpoint("POST /api/comments", statuses=[201, 200], refuses=[409, 429], headers=ETAG | LOCATION)
async def create(request: Request, viewer: Viewer, form: NewComment) -> Json[RenderedComment]:
    """Write a comment.

    If you send the same `id` again, the response is 200 with the stored comment. Any other use of the id is a conflict.
    """
    topic = topic_from(request, form.commentable_type, form.commentable_id)
    comment, is_new = await post(request, viewer, topic, form)
    return _one(comment, viewer, 201 if is_new else 200)


async def post(request: Request, viewer: Viewer, topic: Topic, new: NewComment) -> tuple[Comment, bool]:
    """Run `posting.post` with rate limits. Also raises TooMany."""
    try:
        await rate_limits.take_own(request, rate_limits.COMMENT)
    except TooMany:
        if new.id and (stored := await _posted(request, viewer, topic, new.id)):
            return stored, False  # the client repeats a request whose response was lost
        raise
    comment, is_new = await posting.post(
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
        return await posting.posted(reading, viewer, topic, id)


@Endpoint("GET /api/comments/{id}", headers=ETAG)
async def show(request: Request) -> Json[RenderedComment]:
    """Read a comment."""
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        comment = await comments.find(reading, viewer, id_from(request))
    return _one(comment, viewer)


@Endpoint("PUT /api/comments/{id}", limit=rate_limits.COMMENT, versioned=COMMENT, headers=ETAG)
async def replace(request: Request, viewer: Viewer, form: Edit) -> Json[RenderedComment]:
    """Edit a comment.

    Only `body` changes. The request never creates a comment.
    """
    return await _edit(request, viewer, form.body)


@Endpoint("PATCH /api/comments/{id}", limit=rate_limits.COMMENT, versioned=COMMENT, headers=ETAG)
async def patch(request: Request, viewer: Viewer, form: Patch) -> Json[RenderedComment]:
    """Edit a comment, if there is a body."""
    return await _edit(request, viewer, form.body or None)


async def _edit(request: Request, viewer: Viewer, body: str | None) -> Json[RenderedComment]:
    return _one(await comments.edit(parley_of(request), viewer, id_from(request), body, if_match(request)), viewer)


@Endpoint("DELETE /api/comments/{id}", limit=rate_limits.COMMENT, versioned=COMMENT)
async def delete(request: Request, viewer: Viewer) -> None:
    """Delete a comment.

    Repeating it is no error.
    """
    await comments.delete(parley_of(request), viewer, id_from(request), if_match(request))


@Endpoint("GET /api/comments/{id}/ancestors")
async def ancestors(request: Request) -> Json[Ancestors]:
    """List the comments above a comment.

    A client needs them if it got a comment from the stream without its ancestors.
    """
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        comment = await comments.find(reading, viewer, id_from(request))
        above = await threads.ancestors_of(reading, [comment])
    return Json({"ancestors": _ancestors(above, viewer)})


def id_from(request: Request) -> UUID:
    """The comment's id in the path. Raises Missing."""
    return path_id(request, "This comment no longer exists.")


def _one(comment: Comment, viewer: Viewer, status: int = 200) -> Json[RenderedComment]:
    headers = etag(comment.seq)
    if status == 201:
        headers["Location"] = f"/api/comments/{comment.id}"
    return Json(threads.render(comment, viewer), status, headers)


def _ancestors(ancestors: list[Comment], viewer: Viewer) -> list[Ancestor]:
    return [threads.render_ancestor(comment, viewer) for comment in ancestors]
