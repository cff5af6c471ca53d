"""Mail to moderators over REST: choose when it is sent."""

from __future__ import annotations

from starlette.requests import Request

from app.accounts.identity import parley_of
from app.accounts.user import MailChoice, RenderedUser, render
from app.http.endpoints import Endpoint
from app.http.rate_limits import MARK
from app.http.requests import Input
from app.http.responses import Json
from app.live.viewers import Viewer
from app.moderation.moderation import refuse_non_moderators
from app.moderator_mail import choices
from app.moderator_mail.news import About
from app.reply_mail.reply_mail_api import Choice


class ModeratorChoices(Input):
    mail_on_report: Choice
    mail_on_comment: Choice
    mail_on_edit: Choice
    mail_on_removal: Choice


@Endpoint("PUT /api/account/moderator_mail", limit=MARK, admit=refuse_non_moderators)
async def choose(request: Request, viewer: Viewer, form: ModeratorChoices) -> Json[RenderedUser]:
    """Choose when you get e-mail as a moderator.

    About reports, new comments, edited comments, and comments that another moderator removed: at once, in a daily
    digest, or never. Only moderators may do this.
    """
    chosen = {about: MailChoice(getattr(form, f"mail_on_{about}")) for about in About}
    return Json(render(await choices.choose(parley_of(request), viewer, chosen)))
