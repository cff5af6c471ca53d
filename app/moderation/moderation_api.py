"""Moderation over REST: report and hide comments, lock conversations, block accounts, and change roles."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, StringConstraints
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts import roles
from app.accounts.identity import parley_of
from app.accounts.user import Role, User
from app.commentables import commentables, host_pages
from app.commentables.commentables import RenderedCommentable
from app.comments import threads
from app.comments.comments import RenderedComment
from app.comments.comments_api import id_from
from app.http.endpoints import Endpoint
from app.http.parameters import BEFORE, LIMIT
from app.http.rate_limits import REPORT
from app.http.requests import ENUM, Input, path_id, topic_from, without_nul
from app.http.responses import Json
from app.http.schemas import Before, Cursor
from app.live.read.pages import PAGE_SIZE, Page, Row, read_page
from app.live.topics import QUEUE
from app.live.viewers import Viewer
from app.moderation import audit_log, moderation
from app.moderation import reports as reported
from app.moderation.audit_log import MAX_REASON_LENGTH, Decision, RenderedDecision
from app.moderation.reports import MAX_NOTE_LENGTH, Reason, RenderedReport, Report

Why = Annotated[str, StringConstraints(max_length=MAX_REASON_LENGTH), AfterValidator(without_nul)]
Note = Annotated[str, StringConstraints(max_length=MAX_NOTE_LENGTH), AfterValidator(without_nul)]
Title = Annotated[str, StringConstraints(max_length=commentables.MAX_TITLE_LENGTH), AfterValidator(without_nul)]

NO_ACCOUNT = "This account no longer exists."


class NewReport(Input):
    reason: Annotated[Reason, ENUM]
    note: Note = ""


class Decided(Input):
    reason: Why = ""


class Change(Input):
    wrapped_as = "commentable"
    locked: bool | None = None
    title: Title | None = None
    url: host_pages.Url | None = None


class Appointment(Input):
    role: Annotated[Role, ENUM]


class Reported(TypedDict):
    comment_id: UUID
    reason: Reason
    note: str


class Account(TypedDict):
    """The members of an account that moderators may see."""

    id: UUID
    username: str
    role: Role
    blocked: bool


class Reports(TypedDict):
    reports: list[RenderedReport]
    cursor: Cursor
    before: Before


class Decisions(TypedDict):
    decisions: list[RenderedDecision]
    cursor: Cursor
    before: Before


# -- for everybody ------------------------------------------------------------------------------------------


@Endpoint("PUT /api/comments/{id}/report", limit=REPORT)
async def report(request: Request, viewer: Viewer, form: NewReport) -> Json[Reported]:
    """Report a comment.

    Each person has one report of a comment. A second request changes its reason and note.
    """
    id_ = id_from(request)
    await moderation.report(parley_of(request), viewer, id_, form.reason, form.note)
    return Json({"comment_id": id_, "reason": form.reason, "note": form.note})


# -- for moderators -----------------------------------------------------------------------------------------


# The viewer is checked before anything else, so that an error reveals nothing.
_for_moderators = partial(Endpoint, admit=moderation.refuse_non_moderators)


@_for_moderators("DELETE /api/comments/{id}/reports")
async def dismiss(request: Request, viewer: Viewer) -> None:
    """Dismiss the reports of a comment."""
    await moderation.dismiss(parley_of(request), viewer, id_from(request))


@_for_moderators("PUT /api/comments/{id}/hidden")
async def hide(request: Request, viewer: Viewer, form: Decided) -> Json[RenderedComment]:
    """Hide a comment."""
    comment = await moderation.hide(parley_of(request), viewer, id_from(request), form.reason)
    return Json(threads.render(comment, viewer))


@_for_moderators("DELETE /api/comments/{id}/hidden")
async def restore(request: Request, viewer: Viewer) -> None:
    """Show a hidden comment again."""
    await moderation.restore(parley_of(request), viewer, id_from(request))


@_for_moderators("PUT /api/comments/{id}/erasure")
async def erase(request: Request, viewer: Viewer, form: Decided) -> None:
    """Erase a comment permanently.

    Only owners may do this. The text is deleted from the database, and readers see that a moderator removed the
    comment. Repeating it is no error.
    """
    await moderation.erase(parley_of(request), viewer, id_from(request), form.reason)


@_for_moderators("PATCH /api/commentables/{type}/{id:path}")
async def change(request: Request, viewer: Viewer, form: Change) -> Json[RenderedCommentable]:
    """Lock or unlock a conversation, or change its title or its page of the host."""
    topic = topic_from(request, request.path_params["type"], request.path_params["id"])
    url = form.url and host_pages.require_listed(request, form.url)
    commentable = await moderation.change(parley_of(request), viewer, topic, form.locked, form.title, url)
    return Json(commentables.render(commentable))


@_for_moderators("PUT /api/users/{id}/block")
async def block(request: Request, viewer: Viewer, form: Decided) -> Json[Account]:
    """Block an account."""
    id_ = path_id(request, NO_ACCOUNT)
    return _account(await roles.block(parley_of(request), viewer, id_, form.reason))


@_for_moderators("DELETE /api/users/{id}/block")
async def unblock(request: Request, viewer: Viewer) -> None:
    """Unblock an account."""
    await roles.unblock(parley_of(request), viewer, path_id(request, NO_ACCOUNT))


@_for_moderators("PUT /api/users/{id}/role")
async def appoint(request: Request, viewer: Viewer, form: Appointment) -> Json[Account]:
    """Change the role of an account.

    Only owners may do this.
    """
    id_ = path_id(request, NO_ACCOUNT)
    return _account(await roles.appoint(parley_of(request), viewer, id_, form.role))


@_for_moderators("GET /api/moderation/reports", [BEFORE, LIMIT])
async def index_reports(request: Request, viewer: Viewer) -> Json[Reports]:
    """List the open reports.

    Only moderators may do this.
    """
    return Json(reports(await _page(request, Report)))


@_for_moderators("GET /api/moderation/decisions", [BEFORE, LIMIT])
async def index_decisions(request: Request, viewer: Viewer) -> Json[Decisions]:
    """List the decisions of moderators.

    Only moderators may do this.
    """
    return Json(decisions(await _page(request, Decision)))


def reports(page: Page[Report]) -> Reports:
    return {"reports": [reported.render(row) for row in page.rows], "cursor": page.cursor, "before": page.before}


def decisions(page: Page[Decision]) -> Decisions:
    return {"decisions": [audit_log.render(row) for row in page.rows], "cursor": page.cursor, "before": page.before}


async def _page(request: Request, model: type[Row]) -> Page[Row]:
    before, limit = BEFORE.read(request), LIMIT.read(request) or PAGE_SIZE
    async with parley_of(request).reading() as reading:
        return await read_page(reading, model, QUEUE, before=before, limit=limit)


def _account(user: User) -> Json[Account]:
    shown: Account = {
        "id": user.id, "username": user.username, "role": user.role, "blocked": user.blocked_at is not None
    }  # fmt: skip
    return Json(shown)
