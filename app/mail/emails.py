"""E-mails: the data for each kind of mail. `templates/` has their texts. They are written when the mail is sent.

1. An e-mail to an unverified address contains nothing that a person typed. Otherwise Parley could send spam for others.
2. The first line of a template is the subject. The text follows a blank line. Each paragraph is one line.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID

from app.accounts.accounts import bound_to
from app.accounts.login_throttle import read_lock
from app.accounts.mailed_links import Purpose, write_link
from app.accounts.user import User, ascii_email, user_at
from app.database import Reading
from app.live.service import Parley
from app.live.signing import fingerprint
from app.mail.mail_queue import Kind, Mail
from app.moderator_mail import texts as moderator_texts
from app.reply_mail import texts
from app.text.bidi import isolated

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Email:
    to: str
    subject: str
    text: str
    html: str = ""
    thread: UUID | None = None  # mail clients show mails with the same one together
    unsubscribe_url: str = ""  # for one click (RFC 8058)


@dataclass(frozen=True)
class Context:
    parley: Parley
    reading: Reading
    mail: Mail

    def link(self, purpose: Purpose, user: User, bound_to: str, hint: str = "") -> str:
        return write_link(self.parley, purpose, user.id, bound_to, hint)

    def email(self, kind: Kind, link: str = "") -> Email:
        subject, text = self.fill(kind, link=link, about=isolated(self.mail.about or ""))
        return Email(ascii_email(self.mail.address), subject, text)

    def fill(self, kind: Kind, **values: str) -> tuple[str, str]:
        """(subject, text) of this kind."""
        subject, text = _template(kind)
        url = self.parley.settings.public_url
        return subject.format(**values), f"{text.format(**values, public_url=url)}\n-- \nParley, {url}\n"


Writer = Callable[[Context, User], Awaitable[Email | None]]  # None: the e-mail is no longer needed


async def write_email(parley: Parley, mail: Mail) -> Email | None:
    """The e-mail for this mail; None if no account has the address, or the e-mail is no longer needed."""
    kind = Kind(mail.kind)
    async with parley.reading() as reading:
        context = Context(parley, reading, mail)
        if kind in _NOTICES:
            return context.email(kind)
        user = await (reading.get(User, mail.user_id) if mail.user_id else user_at(reading, mail.address))
        if user is None or user.deleted_at:
            return None
        return context.email(kind) if kind is Kind.TAKEN else await _WRITERS[kind](context, user)


@cache
def _template(kind: Kind) -> tuple[str, str]:
    """(subject, text), with names in braces (2)."""
    subject, _, text = (TEMPLATES / f"{kind}.txt").read_text(encoding="utf-8").partition("\n\n")
    return subject, text


async def _confirm(context: Context, user: User) -> Email | None:
    if user.confirmed_at:
        return None
    link = context.link(Purpose.CONFIRM, user, bound_to(user), "new" if user.is_unclaimed else "")
    return context.email(Kind.CONFIRM, link)


async def _confirm_change(context: Context, user: User) -> Email | None:
    if user.unconfirmed_email != context.mail.address:
        return None  # another change has replaced this one
    if await user_at(context.reading, context.mail.address):
        return context.email(Kind.TAKEN)
    return context.email(Kind.CONFIRM_CHANGE, context.link(Purpose.CONFIRM, user, fingerprint(context.mail.address)))


async def _reset(context: Context, user: User) -> Email:
    return context.email(Kind.RESET, context.link(Purpose.RESET, user, bound_to(user)))


async def _unlock(context: Context, user: User) -> Email | None:
    since = await read_lock(context.reading, user.email)
    if since is None:
        return None
    return context.email(Kind.UNLOCK, context.link(Purpose.UNLOCK, user, fingerprint(since)))


async def _replies(context: Context, user: User) -> Email | None:
    """To the address that the account has now."""
    found = await texts.read(context.parley, context.reading, context.mail, user)
    if found is None:
        return None
    stop = f"{found.stop_words}: {found.stop_url}"
    subject, text = context.fill(Kind(context.mail.kind), about=found.about, replies=found.text, stop=stop)
    html = found.html(subject)
    return Email(ascii_email(user.email), subject, text, html, found.thread, found.stop_url)


async def _moderator(context: Context, user: User) -> Email | None:
    """To the address that the account has now."""
    found = await moderator_texts.read(context.parley, context.reading, context.mail, user)
    if found is None:
        return None
    subject, text = context.fill(Kind.MODERATOR, about=found.subject, news=found.text, stop=found.stop_url)
    return Email(ascii_email(user.email), subject, text, found.html, found.thread, found.stop_url)


# These e-mails are sent even if the account is deleted by now, because a thief may have deleted it.
_NOTICES = frozenset({Kind.CHANGING, Kind.CHANGED, Kind.PASSWORD, Kind.DELETED})

_WRITERS: Mapping[Kind, Writer] = {
    Kind.CONFIRM: _confirm,
    Kind.CONFIRM_CHANGE: _confirm_change,
    Kind.RESET: _reset,
    Kind.UNLOCK: _unlock,
    Kind.REPLIES: _replies,
    Kind.FOLLOWED: _replies,
    Kind.DIGEST: _replies,
    Kind.MODERATOR: _moderator,
}
