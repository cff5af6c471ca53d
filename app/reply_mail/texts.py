"""Texts: what a mail about replies and mentions says, as plain text and as HTML.

They are written when the mail is sent, from its notifications that the person still wants, and from the comments as
they are then. A comment that was deleted or hidden is left out. An edit that removes a mention has deleted its
notification.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from markupsafe import Markup
from sqlalchemy import select

from app.accounts.user import MailChoice, User
from app.commentables import host_pages
from app.comments import markdown
from app.comments.comments import SHOWN_TO_ALL, Comment
from app.database import Reading
from app.live.service import Parley
from app.live.topics import Topic
from app.mail.mail_queue import Kind, Mail
from app.notifications.notifications import About, Notification
from app.pages.templates import render_mail
from app.reply_mail.choices import unsubscribe_url
from app.reply_mail.queueing import choice_of, wanted
from app.text.bidi import isolated
from app.text.visible_text import in_one_line

MAX_QUOTED_LENGTH = 2_000  # characters of one comment; the rest is left out
MAX_SUBJECT_TITLE = 120  # characters
ACTS = {About.REPLY: "replied to you", About.MENTION: "mentioned you"}


@dataclass(frozen=True)
class Entry:
    """A comment in a mail."""

    author: str
    act: str
    title: str
    url: str
    body: str
    html: Markup

    @property
    def text(self) -> str:
        where = f" in “{isolated(self.title)}”" if self.title else ""
        return f"{isolated(self.author)} {self.act}{where}:\n\n{quoted(self.body)}\n\n{self.url}"


@dataclass(frozen=True)
class Texts:
    """The parts of a mail. `thread` is the same for all mails about one conversation to one person."""

    entries: list[Entry]
    about: str
    thread: UUID | None
    stop_url: str
    account_url: str

    @property
    def text(self) -> str:
        return "\n\n\n".join(entry.text for entry in self.entries)

    def html(self, subject: str) -> str:
        return render_mail("reply_mail.html", {"subject": subject, "mail": self})


async def read(parley: Parley, reading: Reading, mail: Mail, user: User) -> Texts | None:
    """The texts of this mail to this account; None if nothing is left that the person wants."""
    query = select(Notification, Comment).join(Comment, Comment.id == Notification.comment_id)
    query = query.where(Notification.mail_id == mail.id, wanted(user.id))
    query = query.where(SHOWN_TO_ALL).order_by(Notification.created_at)
    found = (await reading.execute(query)).all()
    rows = [(row, comment) for row, comment in found if choice_of(user, row.kind) is not MailChoice.NEVER]
    if not rows:
        return None
    newest = rows[-1][0]
    place = Topic.parse(newest.place) if mail.kind == Kind.REPLIES else None
    title = in_one_line(newest.title)[:MAX_SUBJECT_TITLE]
    return Texts(
        entries=[_entry(parley, row, comment) for row, comment in rows],
        about=f"“{isolated(title)}”" if title else "a conversation",
        thread=uuid5(user.id, f"mail/{place}") if place else None,
        stop_url=unsubscribe_url(parley, user.id, place),
        account_url=f"{parley.settings.public_url}/account",
    )


def quotable(comment: Comment) -> tuple[str, Markup]:
    """(the comment's text, its HTML), shortened for a mail."""
    is_long = len(comment.body) > MAX_QUOTED_LENGTH
    body = f"{comment.body[:MAX_QUOTED_LENGTH].rstrip()}…" if is_long else comment.body
    return body, Markup(markdown.plain_html(body) if is_long else comment.shown()[0])


def quoted(body: str) -> str:
    """The text as a quote in a plain text."""
    return "\n".join(f"> {line}".rstrip() for line in body.split("\n"))


def _entry(parley: Parley, notification: Notification, comment: Comment) -> Entry:
    title = in_one_line(notification.title)
    act = ACTS[About(notification.kind)]
    return Entry(comment.username, act, title, _url(parley, notification), *quotable(comment))


def _url(parley: Parley, notification: Notification) -> str:
    """The comment on the page where it was written."""
    page = host_pages.public_page(parley.settings, notification.place, notification.url)
    return f"{page}#comment-{notification.comment_id}"
