"""Letters: the words of each kind of mail, written when it is sent, to whom it concerns by then.

Nothing that was typed stands in a mail to an address that is not known to be the typist's: a name may be bait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.database import Reading
from app.live.parley import Parley
from app.live.signing import fingerprint
from app.models.account import bound_to
from app.models.link import Purpose, write_link
from app.models.lock import lock_of
from app.models.mail import Kind, Mail
from app.models.user import User, ascii_email, user_at


@dataclass(frozen=True)
class Letter:
    to: str
    subject: str
    text: str


@dataclass(frozen=True)
class Desk:
    """What is at hand when a letter is written."""

    parley: Parley
    reading: Reading
    mail: Mail

    def link(self, purpose: Purpose, user: User, bound_to: str) -> str:
        return write_link(self.parley, purpose, user.id, bound_to)

    def page(self, path: str) -> str:
        return f"{self.parley.settings.public_url}{path}"


Words = tuple[str, str]  # subject, text
Writer = Callable[[Desk, User], Awaitable[Words | None]]  # None: there is nothing to tell any more


async def write_letter(parley: Parley, mail: Mail) -> Letter | None:
    """The letter for this mail; None where it concerns nobody, or has become pointless."""
    async with parley.reading() as reading:
        desk = Desk(parley, reading, mail)
        if fact := _FACTS.get(Kind(mail.kind)):
            words: Words | None = fact(desk)
        else:
            user = await (reading.get(User, mail.user_id) if mail.user_id else user_at(reading, mail.address))
            if user is None or user.deleted_at:
                return None
            words = await _WRITERS[Kind(mail.kind)](desk, user)
    return words and Letter(
        ascii_email(mail.address), words[0], f"{words[1]}\n\n-- \nParley, {parley.settings.public_url}\n"
    )


async def _confirm(desk: Desk, user: User) -> Words | None:
    if user.confirmed_at:
        return None
    link = desk.link(Purpose.CONFIRM, user, bound_to(user))
    return "Confirm your address", (
        "Hello,\n\nsomebody, we hope you, has made an account with this address. To confirm that it"
        f" is yours, open this page and press the button:\n\n{link}\n\nThe link is good for three days. If it was"
        " not you, do nothing: without the link nobody can sign in."
    )


async def _confirm_change(desk: Desk, user: User) -> Words | None:
    if user.unconfirmed_email != desk.mail.address:
        return None  # overtaken by another change
    if await user_at(desk.reading, desk.mail.address):
        return await _taken(desk, user)
    link = desk.link(Purpose.CONFIRM, user, fingerprint(desk.mail.address))
    return "Confirm your new address", (
        "Hello,\n\nthis is to be your new address. To confirm that it is yours, open this page and"
        f" press the button:\n\n{link}\n\nThe link is good for three days. If it was not you, do nothing."
    )


def _changing(desk: Desk) -> Words:
    return "Your address is being changed", (
        "Hello,\n\nsomebody who knows your password wants your account to have another address,"
        f" {desk.mail.about}. It will, once they have confirmed it from there.\n\nIf it was not you, choose a new"
        f" password now, and nothing will change:\n\n{desk.page('/reset')}"
    )


def _changed(desk: Desk) -> Words:
    return "Your address has been changed", (
        f"Hello,\n\nyour account now has the address {desk.mail.about}. Mail no longer comes here."
    )


async def _taken(desk: Desk, user: User) -> Words:
    return "You have an account", (
        "Hello,\n\nsomebody, perhaps you, gave this address for an account. There is one with this address already."
        f" If you have forgotten its password, choose a new one:\n\n{desk.page('/reset')}\n\nIf it was not you,"
        " there is nothing to do."
    )


async def _reset(desk: Desk, user: User) -> Words:
    link = desk.link(Purpose.RESET, user, bound_to(user))
    return "Choose a new password", (
        "Hello,\n\nsomebody, we hope you, has forgotten your password. To choose a new one, open this"
        f" page:\n\n{link}\n\nThe link is good for one hour, and once. If it was not you, do nothing: your password"
        " stays as it is."
    )


def _password(desk: Desk) -> Words:
    return "Your password has been changed", (
        "Hello,\n\nyour password has been changed, and every other browser signed out.\n\nIf it was"
        f" not you, choose a new one at once:\n\n{desk.page('/reset')}"
    )


async def _unlock(desk: Desk, user: User) -> Words | None:
    since = await lock_of(desk.reading, user.email)
    if since is None:
        return None
    link = desk.link(Purpose.UNLOCK, user, fingerprint(since))
    return "Your account is locked for a while", (
        "Hello,\n\nsomebody has tried many wrong passwords, so your account is locked for a while in"
        " browsers that you have not used before. It opens by itself within the hour. To open it now, if it was you:"
        f"\n\n{link}\n\nIf it was not you, your password has held, and there is nothing to do."
    )


def _deleted(desk: Desk) -> Words:
    return "Your account has been deleted", (
        "Hello,\n\nyour account has been deleted, and this address is no longer kept. Thank you for having been here."
    )


# What has happened is told even where the account is gone by now: it may be the thief who has deleted it.
_FACTS: Mapping[Kind, Callable[[Desk], Words]] = {
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
