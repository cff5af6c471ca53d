"""Mutes over REST: the people whose comments no longer notify the viewer."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import parley_of, require_sign_in
from app.errors import Missing
from app.http import rate_limits
from app.http.requests import parse_uuid
from app.http.responses import answer
from app.notifications import mutes


async def index(request: Request) -> Response:
    viewer = await require_sign_in(request)
    async with parley_of(request).reading() as reading:
        muted = await mutes.muted_by(reading, viewer)
    return answer({"mutes": [{"id": user.id, "username": user.username} for user in muted]})


async def put(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await rate_limits.take_own(request, rate_limits.MARK)
    await mutes.mute(parley_of(request), viewer, _id(request))
    return Response(status_code=204)


async def delete(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await rate_limits.take_own(request, rate_limits.MARK)
    await mutes.unmute(parley_of(request), viewer, _id(request))
    return Response(status_code=204)


def _id(request: Request) -> UUID:
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing("There is no such account.")
    return id_
