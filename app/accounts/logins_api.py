"""Logins over REST: list them, end one, end all others."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from app.accounts import logins
from app.accounts.identity import forget_login, parley_of
from app.accounts.logins import RenderedLogin
from app.accounts.user import User, find_user
from app.http.endpoints import Endpoint
from app.http.requests import path_id
from app.http.responses import Json
from app.live.model import Count
from app.live.viewers import Viewer


class SignIns(TypedDict):
    """The number of sign-ins, and the previous one, so that the owner can notice a sign-in by somebody else."""

    count: Count
    last_at: datetime | None
    last_address: str | None


class Logins(TypedDict):
    logins: list[RenderedLogin]
    sign_ins: SignIns | None


@Endpoint("GET /api/logins")
async def index(request: Request, viewer: Viewer) -> Json[Logins]:
    """List your logins."""
    async with parley_of(request).reading() as reading:
        found = await logins.logins_of(reading, viewer)
        user = await find_user(reading, viewer.user_id) if viewer.user_id else None
    rendered = [logins.render(login, viewer.login_id) for login in found]
    return Json({"logins": rendered, "sign_ins": _sign_ins(user) if user else None})


def _sign_ins(user: User) -> SignIns:
    return {
        "count": user.sign_in_count,
        "last_at": user.last_signed_in_at,
        "last_address": user.last_signed_in_address or None,
    }


@Endpoint("DELETE /api/logins")
async def end_others(request: Request, viewer: Viewer) -> None:
    """End all other logins."""
    await logins.end_others(parley_of(request), viewer)


@Endpoint("DELETE /api/logins/{id}")
async def end(request: Request, viewer: Viewer) -> Response:
    """End a login."""
    id_ = path_id(request, "This sign-in has already ended.")
    await logins.end_login(parley_of(request), viewer, id_)
    response = Response(status_code=204)
    if id_ == viewer.login_id:
        forget_login(request, response)
    return response
