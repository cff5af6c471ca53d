"""Mutes over REST: the people whose comments no longer notify the viewer."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.models import mute as mutes
from app.models.refusals import Missing
from app.web import limits
from app.web.answers import answer
from app.web.identity import parley_of, require_sign_in
from app.web.input import parse_uuid


async def index(request: Request) -> Response:
    viewer = await require_sign_in(request)
    async with parley_of(request).reading() as reading:
        muted = await mutes.muted_by(reading, viewer)
    return answer({"mutes": [{"id": user.id, "username": user.username} for user in muted]})


async def put(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await limits.take_own(request, limits.MARK)
    await mutes.mute(parley_of(request), viewer, _id(request))
    return Response(status_code=204)


async def delete(request: Request) -> Response:
    viewer = await require_sign_in(request)
    await limits.take_own(request, limits.MARK)
    await mutes.unmute(parley_of(request), viewer, _id(request))
    return Response(status_code=204)


def _id(request: Request) -> UUID:
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing("There is no such account.")
    return id_
