"""Notifications over REST: read the inbox in pages, and mark notifications as read. Only comments create them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import parley_of, require_sign_in
from app.errors import Missing
from app.http import rate_limits
from app.http.requests import WHOLE, Input, if_match, parse_uuid, query_int, read_input
from app.http.responses import answer
from app.live.cursors import MAX_SEQ
from app.live.viewers import Viewer
from app.notifications import inbox
from app.notifications.inbox import Page
from app.notifications.notifications import Notification, render


class Mark(Input):
    read: bool | None = None  # not given: nothing to change


class MarkAll(Input):
    upto: Annotated[int, Field(ge=0, le=MAX_SEQ), WHOLE]


async def index(request: Request) -> Response:
    """The viewer's newest notifications, or those before `before`, with the cursor to stream from."""
    viewer = await require_sign_in(request)
    before = query_int(request, "before", None, 1, MAX_SEQ)
    limit = query_int(request, "limit", inbox.PAGE, 1, inbox.MAX_PAGE_SIZE) or inbox.PAGE
    async with parley_of(request).reading() as reading:
        return answer(snapshot(await inbox.page(reading, viewer, before, limit)))


def snapshot(page: Page) -> dict[str, Any]:
    return {
        "notifications": [render(notification) for notification in page.notifications],
        "cursor": page.cursor,
        "before": page.before,
        "unread": page.unread,
        "earlier_unread": page.earlier_unread,
    }


async def patch(request: Request) -> Response:
    viewer = await _admit(request)
    mark = await read_input(request, Mark, wrapped_as="notification")
    return _one(await inbox.mark(parley_of(request), viewer, _id(request), mark.read, if_match(request)))


async def read_all(request: Request) -> Response:
    """Mark all notifications up to a seq as read. Repeating it is no error."""
    viewer = await _admit(request)
    upto = (await read_input(request, MarkAll)).upto
    return answer({"read": await inbox.mark_all(parley_of(request), viewer, upto)})


async def _admit(request: Request) -> Viewer:
    viewer = await require_sign_in(request)
    await rate_limits.take_own(request, rate_limits.MARK)
    return viewer


def _id(request: Request) -> UUID:
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing("This notification no longer exists.")
    return id_


def _one(notification: Notification) -> Response:
    return answer(render(notification), headers={"ETag": f'"{notification.seq}"'})
