"""Typing indicator: a client reports that its user is typing. It expires within seconds; nothing is stored."""

from __future__ import annotations

from starlette.requests import Request

from app.accounts.identity import parley_of
from app.http import rate_limits
from app.http.endpoints import Endpoint
from app.http.requests import Input, topic_from
from app.live.viewers import Viewer


class Where(Input):
    commentable_type: str
    commentable_id: str


@Endpoint("POST /api/typing", refuses=[429])
async def create(request: Request, viewer: Viewer, form: Where) -> None:
    """Show that you are typing.

    Everybody who takes part in presence at the commentable sees it for six seconds.
    """
    topic = topic_from(request, form.commentable_type, form.commentable_id)
    if presence := parley_of(request).presence:
        await rate_limits.take_own(request, rate_limits.TYPING)
        presence.start_typing(topic, viewer)
