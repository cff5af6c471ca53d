"""Name completion over REST. A response contains only the ids and names of other accounts."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.accounts import name_completion
from app.accounts.identity import parley_of, require_sign_in
from app.accounts.user import MAX_USERNAME_LENGTH, username_key
from app.http import rate_limits
from app.http.problems import invalid
from app.http.requests import commentable_from
from app.http.responses import answer


async def index(request: Request) -> Response:
    """At most `name_completion.MAX_NAMES` accounts whose names begin with `prefix`. If the query names a commentable,
    people who have commented on it come first."""
    viewer = await require_sign_in(request)
    prefix = _prefix(request)
    has_place = {"commentable_type", "commentable_id"} & request.query_params.keys()
    topic = commentable_from(request) if has_place else None
    await rate_limits.take_own(request, rate_limits.NAMES)
    async with parley_of(request).reading() as reading:
        found = await name_completion.beginning_with(reading, viewer, prefix, topic)
    return answer({"users": [{"id": id_, "username": name} for id_, name in found]})


def _prefix(request: Request) -> str:
    """The `prefix` of the query. Raises Problem 422."""
    prefix = request.query_params.get("prefix")
    if prefix is None:
        raise invalid(("prefix", "Required"))
    if not 1 <= len(prefix) <= MAX_USERNAME_LENGTH or "\0" in prefix or not username_key(prefix).strip():
        raise invalid(("prefix", f"Use 1 to {MAX_USERNAME_LENGTH} characters of a name."))
    return prefix
