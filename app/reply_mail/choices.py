"""Choices: when an account gets mail of each kind, and the links in mails that stop it.

A link needs no sign-in: it has a token, which is bound to the account and to one conversation, or to none in a digest.
Opening it changes nothing, because mail scanners open links. A POST to it does (RFC 8058).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.accounts.logins import lock_active_user
from app.accounts.user import MailChoice, User
from app.commentables import commentables
from app.commentables.commentables import Commentable
from app.errors import Missing, SignInFirst
from app.live.gids import BadGid, Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.transaction import owned
from app.notifications.notifications import About
from app.reply_mail import following, muted_conversations

PURPOSE = "unsubscribe"
TOKEN_SECONDS = 5 * 365 * 24 * 3600  # people open old mails; the token can only stop mail


FOLLOWED = "followed"  # the kind of mail about a new comment in a followed conversation

# The attribute of an account with its choice for each kind of mail.
CHOICES = {About.REPLY: "mail_on_reply", About.MENTION: "mail_on_mention", FOLLOWED: "mail_on_followed"}


class Stop(StrEnum):
    """What a link in a mail can stop."""

    CONVERSATION = "conversation"
    FOLLOW = "follow"  # only mail about new comments in the conversation
    REPLIES = "replies"
    MENTIONS = "mentions"
    FOLLOWED = "followed"
    ALL = "all"


_STOPPED: Mapping[Stop, Sequence[str]] = {
    Stop.REPLIES: [About.REPLY],
    Stop.MENTIONS: [About.MENTION],
    Stop.FOLLOWED: [FOLLOWED],
    Stop.ALL: list(CHOICES),
}


def choice_of(user: Any, kind: str) -> MailChoice:
    """When this account, a User or a row with these members, gets mail of a kind. An unconfirmed address gets none."""
    if user is None or not user.gets_bulk_mail:
        return MailChoice.NEVER
    return MailChoice(getattr(user, CHOICES[kind]))


@owned
async def choose(
    parley: Parley,
    viewer: Viewer,
    on_reply: MailChoice,
    on_mention: MailChoice,
    on_followed: MailChoice | None = None,
) -> User:
    """Change when the viewer gets mail; None changes nothing. Returns the account. Raises SignInFirst."""
    if viewer.user_id is None:
        raise SignInFirst
    async with parley.writing(Topic.account(viewer.user_id)) as write:
        user = await lock_active_user(write.session, viewer)
        user.mail_on_reply, user.mail_on_mention = on_reply, on_mention
        user.mail_on_followed = on_followed or user.mail_on_followed
        write.update(user)
    return user


def unsubscribe_url(parley: Parley, user_id: UUID, place: Topic | None, what: Stop | None = None) -> str:
    """The link with which this account stops `what`, by default mail about a conversation, or without one, all."""
    gid = Gid("User", str(user_id), {"in": str(commentables.id_of(place))} if place else {})
    more = f"&what={what}" if what else ""
    return f"{parley.settings.public_url}/unsubscribe?token={parley.signer.sign(gid, PURPOSE)}{more}"


async def open_token(parley: Parley, token: str) -> tuple[UUID, Commentable | None]:
    """(the account's id, the conversation). Raises Missing."""
    try:
        gid = parley.signer.open(token, PURPOSE, TOKEN_SECONDS)
        user_id, commentable_id = UUID(gid.id), UUID(gid.params["in"]) if "in" in gid.params else None
    except (BadGid, ValueError):
        raise Missing("This link is incomplete. Open the full link from our email.") from None
    if commentable_id is None:
        return user_id, None
    async with parley.reading() as reading:
        commentable = await reading.get(Commentable, commentable_id)
    if commentable is None:
        raise Missing("This conversation no longer exists.")
    return user_id, commentable


def parse_stop(text: str | None) -> Stop | None:
    """What the query of a request names; None without it. Raises Missing."""
    try:
        return Stop(text) if text else None
    except ValueError:
        raise Missing("This link is incomplete. Open the full link from our email.") from None


@owned
async def stop(parley: Parley, token: str, what: Stop | None = None) -> Stop:
    """Send no more mail of this kind; by default, about the token's conversation, or if it has none, no mail at all.
    Returns what was stopped. Stopping it again is no error. Raises Missing."""
    user_id, commentable = await open_token(parley, token)
    what = what or (Stop.CONVERSATION if commentable else Stop.ALL)
    if what in (Stop.CONVERSATION, Stop.FOLLOW):
        if commentable is None:
            raise Missing("This link is not about one conversation.")
        leave = muted_conversations.mute if what is Stop.CONVERSATION else following.unfollow
        await leave(parley, user_id, commentable.place)
        return what
    async with parley.writing(Topic.account(user_id)) as write:
        user = await write.get(User, user_id)
        if user and not user.deleted_at:
            for kind in _STOPPED[what]:
                setattr(user, CHOICES[kind], MailChoice.NEVER)
            write.update(user)
    return what
