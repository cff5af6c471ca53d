"""Logins over REST: list them, end one, end all others."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.accounts import logins
from app.accounts.identity import forget_login, parley_of, require_sign_in
from app.accounts.user import find_user
from app.errors import Missing
from app.http.requests import parse_uuid
from app.http.responses import answer


async def index(request: Request) -> Response:
    """The viewer's logins, and the previous sign-in, so that the owner can notice a sign-in by somebody else."""
    viewer = await require_sign_in(request)
    async with parley_of(request).reading() as reading:
        found = await logins.logins_of(reading, viewer)
        user = await find_user(reading, viewer.user_id) if viewer.user_id else None
    sign_ins = user and {
        "count": user.sign_in_count,
        "last_at": user.last_signed_in_at,
        "last_address": user.last_signed_in_address or None,
    }
    return answer({"logins": [logins.render(login, viewer.login_id) for login in found], "sign_ins": sign_ins})


async def end(request: Request) -> Response:
    viewer = await require_sign_in(request)
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing("This sign-in has already ended.")
    await logins.end_login(parley_of(request), viewer, id_)
    response = Response(status_code=204)
    if id_ == viewer.login_id:
        forget_login(request, response)
    return response


async def end_others(request: Request) -> Response:
    await logins.end_others(parley_of(request), await require_sign_in(request))
    return Response(status_code=204)
