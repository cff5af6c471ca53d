"""Choices: when a moderator gets mail about each kind of news, and the link in each mail that stops it.

The link needs no sign-in, and only a POST stops mail, as in `app.reply_mail.choices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from app.accounts.user import MODERATING, MailChoice, User
from app.errors import Missing, SignInFirst
from app.live.gids import BadGid, Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.transaction import owned
from app.moderation.moderation import moderator_in
from app.moderator_mail.news import About
from app.reply_mail.choices import TOKEN_SECONDS

PURPOSE = "unsubscribe moderator"
DIGEST = "digest"  # in place of a kind: all kinds with the choice `DAILY`


def choice_of(user: User | None, about: str) -> MailChoice:
    """When this account gets mail about this kind of news. Without a role, or with an unconfirmed address: never."""
    if user is None or user.role not in MODERATING or not user.gets_bulk_mail:
        return MailChoice.NEVER
    return MailChoice(getattr(user, f"mail_on_{about}"))


def daily_kinds(user: User) -> list[About]:
    return [about for about in About if choice_of(user, about) is MailChoice.DAILY]


@owned
async def choose(parley: Parley, viewer: Viewer, choices: Mapping[About, MailChoice]) -> User:
    """Change when the viewer gets mail. Returns the account. Raises SignInFirst, Forbidden."""
    if viewer.user_id is None:
        raise SignInFirst
    async with parley.writing(Topic.account(viewer.user_id)) as write:
        user = await moderator_in(write, viewer)
        for about, choice in choices.items():
            setattr(user, f"mail_on_{about}", choice)
        write.update(user)
    return user


def unsubscribe_url(parley: Parley, user_id: UUID, kind: str) -> str:
    """The link with which this account stops mail about a kind of news, or the digest."""
    token = parley.signer.sign(Gid("User", str(user_id), {"kind": kind}), PURPOSE)
    return f"{parley.settings.public_url}/unsubscribe/moderator?token={token}"


def open_token(parley: Parley, token: str) -> tuple[UUID, str]:
    """(the account's id, the kind of news or `DIGEST`). Raises Missing."""
    try:
        gid = parley.signer.open(token, PURPOSE, TOKEN_SECONDS)
        return UUID(gid.id), gid.params["kind"]
    except (BadGid, ValueError, KeyError):
        raise Missing("This link is incomplete. Open the full link from our email.") from None


@owned
async def stop(parley: Parley, token: str) -> None:
    """Send no more mail of the token's kind. Stopping it again is no error. Raises Missing."""
    user_id, kind = open_token(parley, token)
    async with parley.writing(Topic.account(user_id)) as write:
        user = await write.get(User, user_id)
        if user and not user.deleted_at:
            for about in daily_kinds(user) if kind == DIGEST else [About(kind)]:
                setattr(user, f"mail_on_{about}", MailChoice.NEVER)
            write.update(user)
