"""The address of the account's own Atom feed, for the account page."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.accounts.user import User, find_user
from app.atom import address
from app.atom.atom_api import path_of_replies
from app.errors import SignInFirst
from app.http.endpoints import Endpoint
from app.http.rate_limits import MARK
from app.http.responses import Json
from app.live.viewers import Viewer


class AtomAddress(TypedDict):
    url: Annotated[str, Field(description="The address of the feed. Anybody who knows it can read the feed.")]


@Endpoint("GET /api/account/atom")
async def show(request: Request, viewer: Viewer) -> Json[AtomAddress]:
    """Read the address of the Atom feed with replies to you and mentions of you."""
    async with parley_of(request).reading() as reading:
        user = await find_user(reading, viewer.user_id) if viewer.user_id else None
    if user is None:
        raise SignInFirst
    return _address(request, user)


@Endpoint("POST /api/account/atom", limit_all=MARK)
async def replace(request: Request, viewer: Viewer) -> Json[AtomAddress]:
    """Replace that address.

    The old address is no longer valid.
    """
    return _address(request, await address.replace(parley_of(request), viewer))


def _address(request: Request, user: User) -> Json[AtomAddress]:
    parley = parley_of(request)
    return Json({"url": parley.settings.public_url + path_of_replies(address.key_of(parley, user))})
