"""Mail about replies, mentions and followed conversations over REST: choose when it is sent, follow conversations, and
mute them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.accounts.user import MailChoice, RenderedUser, render
from app.commentables import commentables
from app.database import Reading
from app.http.endpoints import Endpoint
from app.http.parameters import PLACE
from app.http.rate_limits import MARK
from app.http.requests import ENUM, WHOLE, Input, commentable_from, topic_from
from app.http.responses import Json
from app.live.cursors import MAX_SEQ
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.reply_mail import choices, following, muted_conversations

Choice = Annotated[MailChoice, ENUM]


class Choices(Input):
    mail_on_reply: Choice
    mail_on_mention: Choice
    mail_on_followed: Choice | None = None  # not given: as before


class NamedConversation(Input):
    commentable_type: str
    commentable_id: str


class ReadConversation(NamedConversation):
    upto: Annotated[int, Field(ge=0, le=MAX_SEQ), WHOLE]


class Conversation(TypedDict):
    commentable_type: str
    commentable_id: str
    title: str


class Conversations(TypedDict):
    conversations: Annotated[list[Conversation], Field(description="The newest follow or mute first.")]


@Endpoint("PUT /api/account/mail", limit=MARK)
async def choose(request: Request, viewer: Viewer, form: Choices) -> Json[RenderedUser]:
    """Choose when you get e-mail.

    About replies, about mentions, and about comments in conversations that you follow: at once, in a daily digest, or
    never.
    """
    chosen = (form.mail_on_reply, form.mail_on_mention, form.mail_on_followed)
    return Json(render(await choices.choose(parley_of(request), viewer, *chosen)))


@Endpoint("GET /api/followed_conversations")
async def list_followed(request: Request, viewer: Viewer) -> Json[Conversations]:
    """List the conversations that you follow."""
    async with parley_of(request).reading() as reading:
        return Json(await _name(reading, await following.followed_by(reading, viewer.user_id)))


@Endpoint("PUT /api/followed_conversations", limit=MARK)
async def follow(request: Request, viewer: Viewer, form: NamedConversation) -> None:
    """Follow a conversation.

    You get e-mail about each new comment in it, and it is no longer muted. Repeating it changes nothing.
    """
    place = topic_from(request, form.commentable_type, form.commentable_id)
    await following.follow(parley_of(request), viewer.user_id, place)


@Endpoint("DELETE /api/followed_conversations", PLACE, limit=MARK)
async def unfollow(request: Request, viewer: Viewer) -> None:
    """Unfollow a conversation."""
    await following.unfollow(parley_of(request), viewer.user_id, commentable_from(request))


@Endpoint("PUT /api/followed_conversations/read", limit=MARK)
async def mark_read(request: Request, viewer: Viewer, form: ReadConversation) -> None:
    """Say that you have read a conversation up to a seq.

    You get no e-mail about these comments because you follow it. It changes nothing if you don't follow it.
    """
    place = topic_from(request, form.commentable_type, form.commentable_id)
    await following.mark_read(parley_of(request), viewer.user_id, place, form.upto)


@Endpoint("GET /api/muted_conversations")
async def index(request: Request, viewer: Viewer) -> Json[Conversations]:
    """List the conversations that you have muted."""
    async with parley_of(request).reading() as reading:
        return Json(await _name(reading, await muted_conversations.muted_by(reading, viewer.user_id)))


@Endpoint("PUT /api/muted_conversations", limit=MARK)
async def mute(request: Request, viewer: Viewer, form: NamedConversation) -> None:
    """Mute a conversation.

    You get no e-mail about it, and no longer follow it. Your notifications stay. Repeating it changes nothing.
    """
    place = topic_from(request, form.commentable_type, form.commentable_id)
    await muted_conversations.mute(parley_of(request), viewer.user_id, place)


@Endpoint("DELETE /api/muted_conversations", PLACE, limit=MARK)
async def unmute(request: Request, viewer: Viewer) -> None:
    """Unmute a conversation."""
    await muted_conversations.unmute(parley_of(request), viewer.user_id, commentable_from(request))


async def _name(reading: Reading, places: Sequence[Topic]) -> Conversations:
    found = await commentables.of(reading, places)
    return {
        "conversations": [
            {"commentable_type": place.type, "commentable_id": place.id, "title": found[place].title}
            for place in places
        ]
    }
