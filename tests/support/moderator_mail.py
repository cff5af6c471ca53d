"""Mail to moderators, in tests: people with a role, their choices, reports, and all due mail sent."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from app.accounts.user import MailChoice, Role
from app.comments.comments import Comment
from app.live.service import Parley
from app.live.viewers import Viewer
from app.moderation import moderation
from app.moderation.reports import Reason
from app.moderator_mail import choices
from app.moderator_mail.news import About, News
from app.moderator_mail.queueing import queue_next
from tests.support.mail_fixtures import confirmed
from tests.support.mail_queue import send_next
from tests.support.moderators import set_role

DEFAULTS = {about: MailChoice.AT_ONCE if about is About.REPORT else MailChoice.NEVER for about in About}


async def with_role(parley: Parley, name: str, role: Role = Role.MODERATOR) -> Viewer:
    """A person with a confirmed address and this role."""
    viewer = await confirmed(parley, name)
    await set_role(parley, viewer, role)
    return replace(viewer, moderator=True)


async def wants(parley: Parley, moderator: Viewer, choice: MailChoice, *abouts: About) -> None:
    """This moderator chooses this for these kinds of news, and the defaults for the others."""
    await choices.choose(parley, moderator, {**DEFAULTS, **dict.fromkeys(abouts, choice)})


async def report(parley: Parley, reporter: Viewer, comment: Comment, note: str = "") -> None:
    await moderation.report(parley, reporter, comment.id, Reason.SPAM, note)


async def queue_due(parley: Parley) -> None:
    while await queue_next(parley):
        pass


async def send_due(parley: Parley) -> None:
    """Queue and send all mail that is due."""
    await queue_due(parley)
    while await send_next(parley):
        pass


async def list_news(parley: Parley) -> list[News]:
    async with parley.reading() as reading:
        return list((await reading.scalars(select(News).order_by(News.created_at))).all())
