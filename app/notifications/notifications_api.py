"""Notifications over REST: read the inbox in pages, and mark notifications as read. Only comments create them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.http.endpoints import Endpoint
from app.http.parameters import BEFORE, LIMIT
from app.http.rate_limits import MARK
from app.http.requests import WHOLE, Input, if_match, path_id
from app.http.responses import ETAG, Json, etag
from app.http.schemas import Before, Cursor
from app.live.cursors import MAX_SEQ
from app.live.model import Count
from app.live.read.pages import PAGE_SIZE
from app.live.viewers import Viewer
from app.notifications import inbox
from app.notifications.inbox import Inbox
from app.notifications.notifications import NOTIFICATION, RenderedNotification, render


class Mark(Input):
    wrapped_as = "notification"
    read: bool | None = None  # not given: nothing to change


class MarkAll(Input):
    upto: Annotated[int, Field(ge=0, le=MAX_SEQ), WHOLE]


class Notifications(TypedDict):
    notifications: list[RenderedNotification]
    cursor: Cursor
    before: Before
    unread: Annotated[Count, Field(description="The number of all unread notifications.")]
    earlier_unread: Annotated[Count, Field(description="The number of unread notifications before this page.")]


class Marked(TypedDict):
    read: Annotated[Count, Field(description="The number of notifications that this request has marked.")]


@Endpoint("GET /api/notifications", [BEFORE, LIMIT])
async def index(request: Request, viewer: Viewer) -> Json[Notifications]:
    """List your notifications."""
    before, limit = BEFORE.read(request), LIMIT.read(request) or PAGE_SIZE
    async with parley_of(request).reading() as reading:
        return Json(snapshot(await inbox.read_inbox(reading, viewer, before, limit)))


def snapshot(found: Inbox) -> Notifications:
    return {
        "notifications": [render(notification) for notification in found.page.rows],
        "cursor": found.page.cursor,
        "before": found.page.before,
        "unread": found.unread,
        "earlier_unread": found.earlier_unread,
    }


@Endpoint("PUT,PATCH /api/notifications/read", limit_all=MARK)
async def read_all(request: Request, viewer: Viewer, form: MarkAll) -> Json[Marked]:
    """Mark all notifications up to a seq as read."""
    return Json({"read": await inbox.mark_all(parley_of(request), viewer, form.upto)})


@Endpoint("PATCH /api/notifications/{id}", limit_all=MARK, versioned=NOTIFICATION, headers=ETAG)
async def patch(request: Request, viewer: Viewer, form: Mark) -> Json[RenderedNotification]:
    """Mark a notification as read or as unread."""
    id_ = path_id(request, "This notification no longer exists.")
    notification = await inbox.mark(parley_of(request), viewer, id_, form.read, if_match(request))
    return Json(render(notification), headers=etag(notification.seq))
