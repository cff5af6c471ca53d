"""E-mails: the subject and text of each kind of mail. They are written when the mail is sent.

An e-mail to an unverified address contains nothing that a person typed. Otherwise Parley could send spam for others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.accounts.accounts import bound_to
from app.accounts.login_throttle import read_lock
from app.accounts.mailed_links import Purpose, write_link
from app.accounts.user import User, ascii_email, user_at
from app.database import Reading
from app.live.service import Parley
from app.live.signing import fingerprint
from app.mail.mail_queue import Kind, Mail
from app.text.bidi import isolated


@dataclass(frozen=True)
class Email:
    to: str
    subject: str
    text: str


@dataclass(frozen=True)
class Context:
    """The data for writing an e-mail."""

    parley: Parley
    reading: Reading
    mail: Mail

    def link(self, purpose: Purpose, user: User, bound_to: str, hint: str = "") -> str:
        return write_link(self.parley, purpose, user.id, bound_to, hint)

    def page(self, path: str) -> str:
        return f"{self.parley.settings.public_url}{path}"


Content = tuple[str, str]  # subject, text
Writer = Callable[[Context, User], Awaitable[Content | None]]  # None: the e-mail is no longer needed


async def write_email(parley: Parley, mail: Mail) -> Email | None:
    """The e-mail for this mail; None if no account has the address, or the e-mail is no longer needed."""
    async with parley.reading() as reading:
        context = Context(parley, reading, mail)
        if notice := _NOTICES.get(Kind(mail.kind)):
            content: Content | None = notice(context)
        else:
            user = await (reading.get(User, mail.user_id) if mail.user_id else user_at(reading, mail.address))
            if user is None or user.deleted_at:
                return None
            content = await _WRITERS[Kind(mail.kind)](context, user)
    return content and Email(
        ascii_email(mail.address), content[0], f"{content[1]}\n\n-- \nParley, {parley.settings.public_url}\n"
    )


async def _confirm(context: Context, user: User) -> Content | None:
    if user.confirmed_at:
        return None
    link = context.link(Purpose.CONFIRM, user, bound_to(user), "new" if user.is_waiting else "")
    return "Confirm your email address", (
        f"Hello,\n\nThanks for signing up. Confirm your email address:\n\n{link}\n\nThis link expires in three days."
        " If this wasn't you, you can ignore this email."
    )


async def _confirm_change(context: Context, user: User) -> Content | None:
    if user.unconfirmed_email != context.mail.address:
        return None  # another change has replaced this one
    if await user_at(context.reading, context.mail.address):
        return await _taken(context, user)
    link = context.link(Purpose.CONFIRM, user, fingerprint(context.mail.address))
    return "Confirm your new email address", (
        f"Hello,\n\nConfirm that this is your new email address:\n\n{link}\n\nThis link expires in three days."
        " If this wasn't you, you can ignore this email."
    )


def _changing(context: Context) -> Content:
    return "Your email address is about to change", (
        "Hello,\n\nSomebody who knows your password asked to change the email address of your account to"
        f" {isolated(context.mail.about or '')}. It changes once they confirm it from there.\n\nIf this wasn't you,"
        f" choose a new password now and nothing will change:\n\n{context.page('/reset')}"
    )


def _changed(context: Context) -> Content:
    return "Your email address has been changed", (
        f"Hello,\n\nThe email address of your account is now {isolated(context.mail.about or '')}."
        " We won't send emails to this address any more."
    )


async def _taken(context: Context, user: User) -> Content:
    return "You already have an account", (
        "Hello,\n\nSomebody, perhaps you, tried to use this email address for an account. There already is one. If you"
        f" forgot its password, choose a new one:\n\n{context.page('/reset')}\n\nIf this wasn't you, you can ignore"
        " this email."
    )


async def _reset(context: Context, user: User) -> Content:
    link = context.link(Purpose.RESET, user, bound_to(user))
    return "Choose a new password", (
        "Hello,\n\nWe received a request to reset your password. Choose a new one:"
        f"\n\n{link}\n\nThis link works once and expires in an hour. If this wasn't you, you can ignore this email:"
        " your password stays the same."
    )


def _password(context: Context) -> Content:
    return "Your password has been changed", (
        "Hello,\n\nYour password has been changed, and you were signed out everywhere else.\n\nIf this wasn't you,"
        f" choose a new password now:\n\n{context.page('/reset')}"
    )


async def _unlock(context: Context, user: User) -> Content | None:
    since = await read_lock(context.reading, user.email)
    if since is None:
        return None
    link = context.link(Purpose.UNLOCK, user, fingerprint(since))
    return "Your account is locked for a while", (
        "Hello,\n\nYour account was locked after too many failed sign-ins. You can still sign in from browsers that you"
        " have used before. It unlocks by itself within the hour. If it was you, unlock it now:"
        f"\n\n{link}\n\nIf this wasn't you, your account is safe. You don't need to do anything."
    )


def _deleted(context: Context) -> Content:
    return "Your account has been deleted", (
        "Hello,\n\nYour account and this email address have been deleted. Thank you for being part of the conversation."
    )


# These e-mails are sent even if the account is deleted by now, because a thief may have deleted it.
_NOTICES: Mapping[Kind, Callable[[Context], Content]] = {
    Kind.CHANGING: _changing,
    Kind.CHANGED: _changed,
    Kind.PASSWORD: _password,
    Kind.DELETED: _deleted,
}

_WRITERS: Mapping[Kind, Writer] = {
    Kind.CONFIRM: _confirm,
    Kind.CONFIRM_CHANGE: _confirm_change,
    Kind.TAKEN: _taken,
    Kind.RESET: _reset,
    Kind.UNLOCK: _unlock,
}
