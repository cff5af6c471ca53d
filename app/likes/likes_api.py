"""Likes over REST: PUT likes a comment for the viewer, and DELETE removes the like."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.comments.comments_api import id_from
from app.database import Reading
from app.http.endpoints import Endpoint
from app.http.parameters import PLACE
from app.http.rate_limits import LIKE
from app.http.requests import commentable_from
from app.http.responses import ETAG, Json, etag
from app.http.schemas import Cursor
from app.likes import likes
from app.likes.likes import Like, RenderedLike
from app.live.topics import Topic
from app.live.viewers import Viewer

# With this header, a client can tell whether its number of likes is older than the response. The ETag is the like's
# seq, also after DELETE, so that a client can ignore older events of the like.
COUNTED = "Parley-Counted"
HEADERS = ETAG | {COUNTED: "The seq of the comment from which on its `likes_count` includes this request."}


class Likes(TypedDict):
    likes: list[RenderedLike]
    cursor: Cursor
    before: None


@Endpoint("GET /api/likes", PLACE)
async def index(request: Request, viewer: Viewer) -> Json[Likes]:
    """List your likes.

    They are your likes of comments on this commentable, with the cursor of your account's topic.
    """
    topic = commentable_from(request)
    async with parley_of(request).reading() as reading:
        return Json(await snapshot(reading, viewer, topic))


async def snapshot(reading: Reading, viewer: Viewer, topic: Topic) -> Likes:
    page = await likes.read_likes(reading, viewer, topic)
    return {"likes": [likes.render(like) for like in page.rows], "cursor": page.cursor, "before": None}


@Endpoint("PUT /api/comments/{id}/like", limit=LIKE, headers=HEADERS)
async def put(request: Request, viewer: Viewer) -> Json[RenderedLike]:
    """Like a comment.

    Repeating it changes nothing.
    """
    like, counted = await likes.like(parley_of(request), viewer, id_from(request))
    return Json(likes.render(like), headers=_seqs(like, counted))


@Endpoint("DELETE /api/comments/{id}/like", limit=LIKE, headers=HEADERS)
async def delete(request: Request, viewer: Viewer) -> Response:
    """Remove your like of a comment."""
    like, counted = await likes.unlike(parley_of(request), viewer, id_from(request))
    return Response(status_code=204, headers=_seqs(like, counted))


def _seqs(like: Like, counted: int) -> dict[str, str]:
    return etag(like.seq) | {COUNTED: str(counted)}
