"""Mail about replies and mentions over REST: choose when it is sent, and mute conversations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.accounts.user import MailChoice, RenderedUser, render
from app.commentables import commentables
from app.http.endpoints import Endpoint
from app.http.parameters import PLACE
from app.http.rate_limits import MARK
from app.http.requests import ENUM, Input, commentable_from, topic_from
from app.http.responses import Json
from app.live.viewers import Viewer
from app.reply_mail import choices, muted_conversations

Choice = Annotated[MailChoice, ENUM]


class Choices(Input):
    mail_on_reply: Choice
    mail_on_mention: Choice


class NewMute(Input):
    commentable_type: str
    commentable_id: str


class Muted(TypedDict):
    commentable_type: str
    commentable_id: str
    title: str


class MutedConversations(TypedDict):
    conversations: Annotated[list[Muted], Field(description="The newest mute first.")]


@Endpoint("PUT /api/account/mail", limit=MARK)
async def choose(request: Request, viewer: Viewer, form: Choices) -> Json[RenderedUser]:
    """Choose when you get e-mail.

    About replies and about mentions: at once, in a daily digest, or never.
    """
    return Json(render(await choices.choose(parley_of(request), viewer, form.mail_on_reply, form.mail_on_mention)))


@Endpoint("GET /api/muted_conversations")
async def index(request: Request, viewer: Viewer) -> Json[MutedConversations]:
    """List the conversations that you have muted."""
    async with parley_of(request).reading() as reading:
        places = await muted_conversations.muted_by(reading, viewer.user_id)
        found = await commentables.of(reading, places)
    return Json({
        "conversations": [
            {"commentable_type": place.type, "commentable_id": place.id, "title": found[place].title}
            for place in places
        ]
    })  # fmt: skip


@Endpoint("PUT /api/muted_conversations", limit=MARK)
async def mute(request: Request, viewer: Viewer, form: NewMute) -> None:
    """Mute a conversation.

    You get no e-mail about it. Your notifications stay. Repeating it changes nothing.
    """
    place = topic_from(request, form.commentable_type, form.commentable_id)
    await muted_conversations.mute(parley_of(request), viewer.user_id, place)


@Endpoint("DELETE /api/muted_conversations", PLACE, limit=MARK)
async def unmute(request: Request, viewer: Viewer) -> None:
    """Unmute a conversation."""
    await muted_conversations.unmute(parley_of(request), viewer.user_id, commentable_from(request))
