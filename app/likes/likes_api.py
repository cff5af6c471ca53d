"""Likes over REST: the one resource that a comment has for each person, put there and taken away at will."""

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

# With an answer: the comment's seq from which on its `likes_count` has what was done. Who shows the two can then tell
# whether the number that they have is one from before. The like's own seq is its ETag, where it is gone, too: what
# is heard of it late is then known for late.
COUNTED = "Parley-Counted"


async def index(request: Request) -> Response:
    """What this person likes under a commentable, with the cursor of their own topic."""
    viewer = await require_sign_in(request)
    topic = commentable_from(request)
    async with parley_of(request).reading() as reading:
        return answer(await snapshot(reading, viewer, topic))


async def snapshot(reading: Reading, viewer: Viewer, topic: Topic) -> dict[str, Any]:
    """The counter first, then the rows."""
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
