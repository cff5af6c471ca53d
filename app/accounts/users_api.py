"""Name completion over REST. A response contains only the ids and names of other accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts import name_completion
from app.accounts.identity import parley_of
from app.accounts.user import MAX_USERNAME_LENGTH, username_key
from app.http import rate_limits
from app.http.endpoints import Endpoint
from app.http.parameters import PLACE, Parameter
from app.http.problems import invalid
from app.http.requests import commentable_from
from app.http.responses import Json
from app.live.viewers import Viewer

PREFIX = Parameter(
    "prefix",
    {"type": "string", "minLength": 1, "maxLength": MAX_USERNAME_LENGTH, "pattern": r"[^\s\u0000]"},
    "The beginning of the names. Case does not matter.",
    required=True,
)
HERE = [replace(one, description="Give both, or neither.", required=False) for one in PLACE]


class Name(TypedDict):
    """An account for other people."""

    id: UUID
    username: str


class Names(TypedDict):
    users: Annotated[list[Name], Field(max_length=name_completion.MAX_NAMES)]


@Endpoint("GET /api/users", [PREFIX, *HERE], refuses=[429])
async def index(request: Request, viewer: Viewer) -> Json[Names]:
    """Complete a name after `@`.

    The response has a few accounts whose names begin with `prefix`, without your own. If you name a commentable, people
    who have commented there come first.
    """
    prefix = _prefix(request)
    has_place = {"commentable_type", "commentable_id"} & request.query_params.keys()
    topic = commentable_from(request) if has_place else None
    await rate_limits.take_own(request, rate_limits.NAMES)
    async with parley_of(request).reading() as reading:
        found = await name_completion.beginning_with(reading, viewer, prefix, topic)
    return Json({"users": [{"id": id_, "username": name} for id_, name in found]})


def _prefix(request: Request) -> str:
    """The `prefix` of the query. Raises Problem 422."""
    prefix = request.query_params.get("prefix")
    if prefix is None:
        raise invalid(("prefix", "Required"))
    if not 1 <= len(prefix) <= MAX_USERNAME_LENGTH or "\0" in prefix or not username_key(prefix).strip():
        raise invalid(("prefix", f"Use 1 to {MAX_USERNAME_LENGTH} characters of a name."))
    return prefix
