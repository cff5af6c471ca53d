"""Mutes over REST: the people whose comments no longer notify the viewer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.accounts.users_api import Name
from app.http.endpoints import Endpoint
from app.http.rate_limits import MARK
from app.http.requests import path_id
from app.http.responses import Json
from app.live.viewers import Viewer
from app.notifications import mutes

MISSING = "There is no such account."


class Mutes(TypedDict):
    mutes: Annotated[list[Name], Field(description="In alphabetical order.")]


@Endpoint("GET /api/mutes")
async def index(request: Request, viewer: Viewer) -> Json[Mutes]:
    """List the people whom you have muted."""
    async with parley_of(request).reading() as reading:
        muted = await mutes.muted_by(reading, viewer)
    return Json({"mutes": [{"id": user.id, "username": user.username} for user in muted]})


@Endpoint("PUT /api/users/{id}/mute", limit=MARK, refuses=[422])
async def put(request: Request, viewer: Viewer) -> None:
    """Mute somebody.

    Their comments stay, and no longer notify you. Repeating it changes nothing.
    """
    await mutes.mute(parley_of(request), viewer, path_id(request, MISSING))


@Endpoint("DELETE /api/users/{id}/mute", limit=MARK)
async def delete(request: Request, viewer: Viewer) -> None:
    """Unmute somebody."""
    await mutes.unmute(parley_of(request), viewer, path_id(request, MISSING))
