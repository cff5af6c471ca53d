"""Likes over REST: PUT likes a comment for the viewer, and DELETE removes the like."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import parley_of, require_sign_in
from app.comments.comments_api import id_from
from app.database import Reading
from app.http import rate_limits
from app.http.requests import commentable_from
from app.http.responses import answer
from app.likes import likes
from app.likes.likes import Like
from app.live.cursors import write_cursor
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.sequences import read_heads

# A response header: the comment's seq from which on its `likes_count` includes this request. So a client can tell
# whether its number is older. The ETag is the like's seq, also after DELETE, so that a client can ignore older events
# of the like.
COUNTED = "Parley-Counted"


async def index(request: Request) -> Response:
    """The viewer's likes of comments on a commentable, with the cursor of the account's topic."""
    viewer = await require_sign_in(request)
    topic = commentable_from(request)
    async with parley_of(request).reading() as reading:
        return answer(await snapshot(reading, viewer, topic))


async def snapshot(reading: Reading, viewer: Viewer, topic: Topic) -> dict[str, Any]:
    """Read the counter before the rows, so a change between the two is in both the snapshot and the stream."""
    epoch, heads = await read_heads(reading, [Topic.account(viewer.user_id)])
    mine = await likes.likes_of(reading, viewer, topic)
    return {"likes": [likes.render(like) for like in mine], "cursor": write_cursor(epoch, heads), "before": None}


async def put(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await rate_limits.take_own(request, rate_limits.LIKE)
    like, counted = await likes.like(parley_of(request), viewer, id_from(request))
    return answer(likes.render(like), headers=_seqs(like, counted))


async def delete(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await rate_limits.take_own(request, rate_limits.LIKE)
    like, counted = await likes.unlike(parley_of(request), viewer, id_from(request))
    return Response(status_code=204, headers=_seqs(like, counted))


def _seqs(like: Like, counted: int) -> dict[str, str]:
    return {"ETag": f'"{like.seq}"', COUNTED: str(counted)}
