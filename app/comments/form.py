"""The composer as an HTML form: posting works before the page's scripts run, and without them.

The form is `application/x-www-form-urlencoded` and posts to the page's own path. The response is 303 to the new
comment. If the comment is refused, the response is the page with the text in the field and the reason beside it, so
that no text is lost.

A comment's id is derived from the form's id and the text (UUID version 5, RFC 9562), here and in
`static/js/thread/form_id.js`. If the browser and the page's script both post the same text, the ids are equal, and
there is one comment. Another text is another comment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from uuid import UUID, uuid4, uuid5

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.accounts.identity import require_sign_in
from app.comments import comments_api
from app.comments.comments import MAX_BODY_LENGTH
from app.comments.comments_api import NewComment
from app.database import DATABASE_ERRORS, is_unavailable
from app.errors import Refusal, SignInFirst
from app.http.problems import Problem, invalid_fields, problem_of, unavailable
from app.http.requests import parse_uuid, read_body
from app.live.topics import Topic
from app.pages.templates import page

# Bytes of a form: 29,000 characters of 3 bytes, percent-encoded. So even a text that is too long comes back.
MAX_FORM_BYTES = 262_144
MAX_FIELDS = 20
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Unsent:
    """The initial content of the composer: a text that could not be posted, and the reason."""

    text: str = ""
    form_id: UUID | None = None  # the comment's id is derived from it and the text
    problem: Problem | None = None


NOTHING_UNSENT = Unsent()

# Renders the page with this content in its composer.
Show = Callable[[Request, Unsent], Awaitable[Response]]


async def post(request: Request, topic: Topic, under: str, show: Show) -> Response:
    """303 to the new comment on the page, whose path begins with `under`. If the comment is refused, the response of
    `show`. Raises Problem 400, 413, 415."""
    fields = await _read_form(request)
    unsent = Unsent(_text(fields.get("body", "")), parse_uuid(fields.get("form_id", "")))
    try:
        try:
            comment_id = await _create(request, topic, unsent, fields.get("user", ""))
        except SignInFirst:
            return await show(request, _refused(unsent, Problem(401, "Sign in to post your comment.")))
        except Refusal as refusal:
            return await show(request, _refused(unsent, await problem_of(request, refusal)))
        except Problem as problem:
            return await show(request, _refused(unsent, problem))
    except DATABASE_ERRORS as error:
        if not is_unavailable(error):
            raise
        return _page_without_database(request, unsent)
    query = _query_of(request) if under else ""
    return RedirectResponse(f"{under}/{quote(str(topic))}{query}#comment-{comment_id}", 303)


def _query_of(request: Request) -> str:
    """The page's query, without a window: the new comment is in the newest one."""
    window = {one.name for one in comments_api.WINDOW}
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in window]
    return f"?{urlencode(kept)}" if kept else ""


def fields(unsent: Unsent) -> dict[str, Any]:
    """The values for the form's template."""
    return {
        "form_id": unsent.form_id or uuid4(),
        "text": unsent.text,
        "longest": MAX_BODY_LENGTH,
        "problem": unsent.problem and error_text(unsent.problem),
    }


def error_text(problem: Problem) -> str:
    """The problem in words for a person, without the names of fields."""
    return " ".join(detail for _, detail in problem.errors) or str(problem)


def _refused(unsent: Unsent, problem: Problem) -> Unsent:
    # After a conflict, the same id would always be refused.
    return Unsent(unsent.text, None if problem.status == 409 else unsent.form_id, problem)


async def _create(request: Request, topic: Topic, unsent: Unsent, user: str) -> UUID:
    """Post the comment, and return its id. `user`: the account that the form was made for. Raises Refusal, Problem."""
    viewer = await require_sign_in(request)
    if user and user != str(viewer.user_id):
        raise Problem(409, f"You are now signed in as {viewer.username}. Check your comment, then post it.")
    place = {"commentable_type": topic.type, "commentable_id": topic.id}
    chosen = {"id": str(uuid5(unsent.form_id, unsent.text))} if unsent.form_id else {}
    try:
        new = NewComment.model_validate({"body": unsent.text, **place, **chosen})
    except ValidationError as error:
        raise invalid_fields(error) from None
    comment, _ = await comments_api.post(request, viewer, topic, new)
    return comment.id


def _page_without_database(request: Request, unsent: Unsent) -> Response:
    """503: a page with only the form, because the thread cannot be read."""
    problem = unavailable()
    context = {"title": problem.title, "problem": problem, "unsent": unsent}
    response = page(request, "unsent.html", context, problem.status)
    response.headers.update(problem.headers)
    return response


async def _read_form(request: Request) -> dict[str, str]:
    body = await read_body(request, FORM, MAX_FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Problem(400, "This is not a form.") from None
    return dict(pairs)


def _text(value: str) -> str:
    """The text as typed: browsers send every line break as CR LF (HTML, "Constructing the entry list")."""
    return value.replace("\r\n", "\n").replace("\r", "\n")
