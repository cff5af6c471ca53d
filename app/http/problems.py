"""Problems: every refusal as an RFC 9457 document; for a person's browser that asked for a page, as a page.

    {"type": "about:blank", "title": "Unprocessable Content", "status": 422, "detail": "…",
     "errors": [{"field": "body", "detail": "…"}]}

What was sent is never repeated in them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app import errors as refusals
from app.accounts.identity import current_viewer, parley_of
from app.database import Trouble, is_unavailable, one_line
from app.http.middleware.request_log import headers_of
from app.live.model import Live
from app.pages.templates import page

RETRY_AFTER = 5  # seconds

Headers = Mapping[str, str]

log = logging.getLogger(__name__)

_STATUS: Mapping[type[refusals.Refusal], int] = {
    refusals.Missing: 404,
    refusals.SignInFirst: 401,
    refusals.Forbidden: 403,
    refusals.Conflict: 409,
    refusals.Stale: 412,
    refusals.Invalid: 422,
    refusals.TooMany: 429,
    refusals.Busy: 503,
}


_WORDS: Mapping[str, str] = {
    "missing": "Required",
    "string_type": "Must be text",
    "string_too_short": "Too short: use at least {min_length} characters.",
    "string_too_long": "Too long: the limit is {max_length:,} characters.",
    "string_unicode": "Invalid text",
    "bool_type": "Must be true or false",
}


class Problem(Exception):
    """A refused request. `errors` are (field, what is wrong with it)."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[tuple[str, str]] = (), headers: Headers | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = errors
        self.headers = dict(headers or {})
        self.members: dict[str, Any] = {}

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    def response(self) -> Response:
        document: dict[str, Any] = {"type": "about:blank", "title": self.title, "status": self.status}
        document["detail"] = str(self)
        if self.errors:
            document["errors"] = [{"field": field, "detail": detail} for field, detail in self.errors]
        document |= self.members
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(to_json(document), self.status, headers, "application/problem+json")


def invalid(*errors: tuple[str, str]) -> Problem:
    """422, naming each field and what is wrong with it."""
    return Problem(422, "; ".join(f"{field}: {detail}" for field, detail in errors), errors)


def invalid_fields(error: ValidationError) -> Problem:
    """422 from pydantic's complaints, one entry a field, without repeating what was sent."""
    return invalid(*{_field(complaint["loc"]): _words(complaint) for complaint in error.errors()}.items())


def _words(complaint: ErrorDetails) -> str:
    """The complaint in words for a person."""
    words = _WORDS.get(complaint["type"])
    # Ours are templates; pydantic's are finished, and may quote braces that were sent.
    return words.format(**complaint.get("ctx", {})) if words else complaint["msg"]


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body of the request"


async def on_problem(request: Request, problem: Problem) -> Response:
    return _answer(request, problem)


async def on_refusal(request: Request, refusal: refusals.Refusal) -> Response:
    return _answer(request, await problem_of(request, refusal))


async def problem_of(request: Request, refusal: refusals.Refusal) -> Problem:
    """The refusal as a Problem, with its status and headers."""
    status = next(_STATUS[cls] for cls in type(refusal).__mro__ if cls in _STATUS)
    problem = Problem(status, str(refusal))
    if isinstance(refusal, refusals.Invalid):
        problem = invalid((refusal.field, str(refusal)))
    if isinstance(refusal, refusals.TooMany):
        problem.headers["Retry-After"] = str(refusal.seconds)
    if isinstance(refusal, refusals.Stale):
        problem.members |= await _now(request, refusal.current)
    return problem


async def _now(request: Request, row: Live) -> dict[str, Any]:
    """The object as its viewer sees it now, under its model's name: {"comment": {…}}."""
    viewer = await current_viewer(request)
    live = next(live for live in parley_of(request).models if live.model is type(row))
    return {live.name: live.render(row, viewer.kind(row.author_id))} if live.render else {}


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """Starlette's own: no such path, wrong method."""
    details = {404: "Page not found.", 405: "Not allowed."}
    detail = details.get(error.status_code, error.detail)
    return _answer(request, Problem(error.status_code, detail, headers=error.headers))


async def on_trouble(request: Request, error: Exception) -> Response:
    """The database's troubles: when to come back."""
    if not is_unavailable(error):
        raise error
    log.warning("%s %s: %s", request.method, request.url.path, one_line(error))
    return _answer(request, unavailable())


def unavailable() -> Problem:
    """503: the database does not answer."""
    return Problem(503, "Something went wrong. Please try again.", headers={"Retry-After": str(RETRY_AFTER)})


async def on_mistake(request: Request, error: Exception) -> Response:
    """Ours. The server logs it with its stack."""
    response = _answer(request, Problem(500, "Something went wrong. Please try again."))
    content_type = response.headers["content-type"]
    response.headers.update(headers_of(request.url.scheme, content_type))  # the middleware that sets them is inside
    return response


def _answer(request: Request, problem: Problem) -> Response:
    wants_page = request.method in ("GET", "POST") and "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith(("/api/", "/streams")):
        context = {"status": problem.status, "title": problem.title, "detail": str(problem)}
        shown = page(request, "error.html", context, problem.status)
        shown.headers.update(problem.headers)
        return shown
    return problem.response()


HANDLERS: Mapping[Any, Any] = {
    Problem: on_problem,
    refusals.Refusal: on_refusal,
    HTTPException: on_http_exception,
    **dict.fromkeys(Trouble, on_trouble),
    Exception: on_mistake,
}
