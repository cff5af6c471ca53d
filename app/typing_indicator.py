"""Typing indicator: a client reports that its user is typing. It expires within seconds; nothing is stored."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import parley_of, require_sign_in
from app.http import rate_limits
from app.http.requests import Input, read_input, topic_from


class Where(Input):
    commentable_type: str
    commentable_id: str


async def create(request: Request) -> Response:
    """Sends `typing` to everybody present at the commentable; see `app.live.presence.service`."""
    viewer = await require_sign_in(request)
    where = await read_input(request, Where)
    topic = topic_from(request, where.commentable_type, where.commentable_id)
    if presence := parley_of(request).presence:
        await rate_limits.take_own(request, rate_limits.TYPING)
        presence.start_typing(topic, viewer)
    return Response(status_code=204)
