"""Problems: each error response as an RFC 9457 document, or as a page if a browser requested a page.

    {"type": "about:blank", "title": "Unprocessable Content", "status": 422, "detail": "…",
     "errors": [{"field": "body", "detail": "…"}]}

A problem never repeats the request's values.
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
from app.database import DATABASE_ERRORS, is_unavailable, one_line
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

# Messages for pydantic's types of errors.
_MESSAGES: Mapping[str, str] = {
    "missing": "Required",
    "string_type": "Must be text",
    "string_too_short": "Too short: use at least {min_length} characters.",
    "string_too_long": "Too long: the limit is {max_length:,} characters.",
    "string_unicode": "Invalid text",
    "bool_type": "Must be true or false",
    "enum": "Must be one of {expected}",
}


class Problem(Exception):
    """An error response. `errors` are (field, what is wrong with it)."""

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
    """422, with each field and what is wrong with it."""
    return Problem(422, "; ".join(f"{field}: {detail}" for field, detail in errors), errors)


def invalid_fields(error: ValidationError) -> Problem:
    """422 from pydantic's errors, with one entry for each field."""
    return invalid(*{_field(details["loc"]): _message(details) for details in error.errors()}.items())


def _message(details: ErrorDetails) -> str:
    message = _MESSAGES.get(details["type"])
    # Only our messages are templates. One of pydantic's may quote braces of the request.
    return message.format(**details.get("ctx", {})) if message else details["msg"].removeprefix("Value error, ")


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body of the request"


async def on_problem(request: Request, problem: Problem) -> Response:
    return _respond(request, problem)


async def on_refusal(request: Request, refusal: refusals.Refusal) -> Response:
    return _respond(request, await problem_of(request, refusal))


async def problem_of(request: Request, refusal: refusals.Refusal) -> Problem:
    """The refusal as a Problem, with its status and headers."""
    status = next(_STATUS[cls] for cls in type(refusal).__mro__ if cls in _STATUS)
    problem = Problem(status, str(refusal))
    if isinstance(refusal, refusals.Invalid):
        problem = invalid((refusal.field, str(refusal)))
    if isinstance(refusal, refusals.TooMany):
        problem.headers["Retry-After"] = str(refusal.seconds)
    if isinstance(refusal, refusals.Stale):
        problem.members |= await _current_state(request, refusal.current)
    return problem


async def _current_state(request: Request, row: Live) -> dict[str, Any]:
    """The object for this viewer, under its model's name: {"comment": {…}}."""
    viewer = await current_viewer(request)
    live = next(live for live in parley_of(request).models if live.model is type(row))
    return {live.name: live.render_for(row, viewer.kind(row.author_id))}


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """An error of Starlette: an unknown path, or a wrong method."""
    details = {404: "Page not found.", 405: "Not allowed."}
    detail = details.get(error.status_code, error.detail)
    return _respond(request, Problem(error.status_code, detail, headers=error.headers))


async def on_database_error(request: Request, error: Exception) -> Response:
    """503 if the database is unavailable. Any other error is a 500."""
    if not is_unavailable(error):
        raise error
    log.warning("%s %s: %s", request.method, request.url.path, one_line(error))
    return _respond(request, unavailable())


def unavailable() -> Problem:
    """503: the database does not answer."""
    return Problem(503, "Something went wrong. Please try again.", headers={"Retry-After": str(RETRY_AFTER)})


async def on_exception(request: Request, error: Exception) -> Response:
    """500. The server logs the exception with its stack."""
    response = _respond(request, Problem(500, "Something went wrong. Please try again."))
    content_type = response.headers["content-type"]
    response.headers.update(headers_of(request.url.scheme, content_type))  # no middleware adds them after an exception
    return response


def _respond(request: Request, problem: Problem) -> Response:
    wants_page = request.method in ("GET", "POST") and "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith(("/api/", "/streams", "/changes/")):
        context = {"status": problem.status, "title": problem.title, "detail": str(problem)}
        response = page(request, "error.html", context, problem.status)
        response.headers.update(problem.headers)
        return response
    return problem.response()


HANDLERS: Mapping[Any, Any] = {
    Problem: on_problem,
    refusals.Refusal: on_refusal,
    HTTPException: on_http_exception,
    **dict.fromkeys(DATABASE_ERRORS, on_database_error),
    Exception: on_exception,
}
