"""Moderation over REST: report and hide comments, lock conversations, block accounts, and change roles."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from app.accounts import roles
from app.accounts.identity import parley_of, require_sign_in
from app.accounts.user import Role, User
from app.commentables import commentables, host_pages
from app.comments import comments
from app.errors import Missing
from app.http import rate_limits
from app.http.requests import Input, one_of, parse_uuid, query_int, read_input, topic_from, without_nul
from app.http.responses import answer
from app.live.cursors import MAX_SEQ
from app.live.viewers import Viewer
from app.moderation import audit_log, moderation, moderation_queue
from app.moderation import reports as reported
from app.moderation.audit_log import MAX_REASON_LENGTH, Decision
from app.moderation.moderation_queue import Page
from app.moderation.reports import MAX_NOTE_LENGTH, Reason, Report

Why = Annotated[str, StringConstraints(max_length=MAX_REASON_LENGTH), AfterValidator(without_nul)]
Note = Annotated[str, StringConstraints(max_length=MAX_NOTE_LENGTH), AfterValidator(without_nul)]
Title = Annotated[str, StringConstraints(max_length=commentables.MAX_TITLE_LENGTH), AfterValidator(without_nul)]


class NewReport(Input):
    reason: Annotated[Reason, BeforeValidator(one_of(Reason))]
    note: Note = ""


class Decided(Input):
    reason: Why = ""


class Change(Input):
    locked: bool | None = None
    title: Title | None = None
    url: host_pages.Url | None = None


class Appointment(Input):
    role: Annotated[Role, BeforeValidator(one_of(Role))]


# -- anybody with an account --------------------------------------------------------------------------------


async def report(request: Request) -> Response:
    """Each person has one report of a comment. A second request changes its reason and note."""
    viewer = await require_sign_in(request)
    form = await read_input(request, NewReport)
    await rate_limits.take_own(request, rate_limits.REPORT)
    id_ = _id(request, "comment")
    await moderation.report(parley_of(request), viewer, id_, form.reason, form.note)
    return answer({"comment_id": id_, "reason": form.reason, "note": form.note})


# -- moderators ---------------------------------------------------------------------------------------------


async def hide(request: Request) -> Response:
    viewer = await _require_moderator(request)
    form = await read_input(request, Decided)
    comment = await moderation.hide(parley_of(request), viewer, _id(request, "comment"), form.reason)
    return answer(comments.render(comment, viewer.kind(comment.author_id)))


async def restore(request: Request) -> Response:
    viewer = await _require_moderator(request)
    await moderation.restore(parley_of(request), viewer, _id(request, "comment"))
    return Response(status_code=204)


async def erase(request: Request) -> Response:
    viewer = await _require_moderator(request)
    form = await read_input(request, Decided)
    await moderation.erase(parley_of(request), viewer, _id(request, "comment"), form.reason)
    return Response(status_code=204)


async def dismiss(request: Request) -> Response:
    viewer = await _require_moderator(request)
    await moderation.dismiss(parley_of(request), viewer, _id(request, "comment"))
    return Response(status_code=204)


async def change(request: Request) -> Response:
    """Lock or unlock a conversation, or change its title or its page of the host."""
    viewer = await _require_moderator(request)
    topic = topic_from(request, request.path_params["type"], request.path_params["id"])
    form = await read_input(request, Change, wrapped_as="commentable")
    url = form.url and host_pages.require_listed(request, form.url)
    commentable = await moderation.change(parley_of(request), viewer, topic, form.locked, form.title, url)
    return answer(commentables.render(commentable))


async def block(request: Request) -> Response:
    viewer = await _require_moderator(request)
    form = await read_input(request, Decided)
    return _account(await roles.block(parley_of(request), viewer, _id(request, "account"), form.reason))


async def unblock(request: Request) -> Response:
    viewer = await _require_moderator(request)
    await roles.unblock(parley_of(request), viewer, _id(request, "account"))
    return Response(status_code=204)


async def appoint(request: Request) -> Response:
    viewer = await _require_moderator(request)
    form = await read_input(request, Appointment)
    return _account(await roles.appoint(parley_of(request), viewer, _id(request, "account"), form.role))


async def index_reports(request: Request) -> Response:
    """The open reports."""
    return answer(reports(await _page(request, Report)))


async def index_decisions(request: Request) -> Response:
    return answer(decisions(await _page(request, Decision)))


def reports(page: Page[Report]) -> dict[str, Any]:
    """The body of a response with this page."""
    return {"reports": [reported.render(row) for row in page.rows], "cursor": page.cursor, "before": page.before}


def decisions(page: Page[Decision]) -> dict[str, Any]:
    return {"decisions": [audit_log.render(row) for row in page.rows], "cursor": page.cursor, "before": page.before}


async def _page(request: Request, model: type[moderation_queue.Row]) -> Page[moderation_queue.Row]:
    await _require_moderator(request)
    before = query_int(request, "before", None, 1, MAX_SEQ)
    limit = (
        query_int(request, "limit", moderation_queue.PAGE, 1, moderation_queue.MAX_PAGE_SIZE) or moderation_queue.PAGE
    )
    async with parley_of(request).reading() as reading:
        return await moderation_queue.page(reading, model, before, limit)


async def _require_moderator(request: Request) -> Viewer:
    """The viewer, checked before anything else, so that an error reveals nothing. Raises SignInFirst, Forbidden."""
    viewer = await require_sign_in(request)
    moderation.refuse_non_moderators(viewer)
    return viewer


def _account(user: User) -> Response:
    """A response with the members of an account that moderators may see."""
    shown = {"id": user.id, "username": user.username, "role": user.role, "blocked": user.blocked_at is not None}
    return answer(shown)


def _id(request: Request, what: str) -> UUID:
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing(f"This {what} no longer exists.")
    return id_
