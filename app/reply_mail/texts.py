"""Texts: what a mail about replies, mentions and followed conversations says, as plain text and as HTML.

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
from app.commentables import commentables, host_pages
from app.comments import markdown
from app.comments.comments import SHOWN_TO_ALL, Comment
from app.database import Reading
from app.live.service import Parley
from app.live.topics import Topic
from app.mail.mail_queue import Kind, Mail
from app.notifications.notifications import About, Notification
from app.pages.templates import render_mail
from app.reply_mail.choices import CHOICES, FOLLOWED, Stop, choice_of, unsubscribe_url
from app.reply_mail.followers import news
from app.reply_mail.follows import Follow, MailedRange
from app.reply_mail.queueing import MAX_IN_MAIL, wanted
from app.text.bidi import isolated
from app.text.visible_text import in_one_line

MAX_QUOTED_LENGTH = 2_000  # characters of one comment; the rest is left out
MAX_SUBJECT_TITLE = 120  # characters
ACTS = {About.REPLY: "replied to you", About.MENTION: "mentioned you", FOLLOWED: "wrote"}
STOP_WORDS = {
    Kind.REPLIES: "Stop emails about this conversation",
    Kind.FOLLOWED: "Unfollow this conversation",
    Kind.DIGEST: "Stop emails about replies, mentions and conversations that you follow",
}


@dataclass(frozen=True)
class Item:
    """A comment for a mail. `kind` is the reason, and `title` and `page` are of its conversation."""

    comment: Comment
    kind: str
    title: str
    page: str


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
    stop_words: str
    account_url: str

    @property
    def text(self) -> str:
        return "\n\n\n".join(entry.text for entry in self.entries)

    def html(self, subject: str) -> str:
        return render_mail("reply_mail.html", {"subject": subject, "mail": self})


async def read(parley: Parley, reading: Reading, mail: Mail, user: User) -> Texts | None:
    """The texts of this mail to this account; None if nothing is left that the person wants."""
    found = [*await _read_notified(reading, mail, user), *await _read_followed(reading, mail, user)]
    wanted_kinds = {kind for kind in CHOICES if choice_of(user, kind) is not MailChoice.NEVER}
    items = sorted((item for item in found if item.kind in wanted_kinds), key=lambda item: item.comment.created_at)
    if not items:
        return None
    newest, kind = items[-1], Kind(mail.kind)
    place = None if kind is Kind.DIGEST else Topic.parse(newest.comment.topic)
    title = in_one_line(newest.title)[:MAX_SUBJECT_TITLE]
    return Texts(
        entries=[_entry(parley, item) for item in items],
        about=f"“{isolated(title)}”" if title else "a conversation",
        thread=uuid5(user.id, f"mail/{place}") if place else None,
        stop_url=unsubscribe_url(parley, user.id, place, Stop.FOLLOW if kind is Kind.FOLLOWED else None),
        stop_words=STOP_WORDS[kind],
        account_url=f"{parley.settings.public_url}/account",
    )


async def _read_notified(reading: Reading, mail: Mail, user: User) -> list[Item]:
    query = select(Notification, Comment).join(Comment, Comment.id == Notification.comment_id)
    query = query.where(Notification.mail_id == mail.id, wanted(user.id), SHOWN_TO_ALL)
    rows = await reading.execute(query)
    return [Item(comment, about.kind, about.title, about.url) for about, comment in rows]


async def _read_followed(reading: Reading, mail: Mail, user: User) -> list[Item]:
    """The newest comments of the mail's conversations that the person still follows."""
    query = select(Comment).join(MailedRange, MailedRange.place == Comment.topic)
    query = query.join(Follow, (Follow.place == MailedRange.place) & (Follow.user_id == user.id))
    query = query.where(MailedRange.mail_id == mail.id, *news(MailedRange.after_seq, MailedRange.upto_seq))
    comments = (await reading.scalars(query.order_by(Comment.created_at.desc()).limit(MAX_IN_MAIL))).all()
    found = await commentables.of(reading, {Topic.parse(comment.topic) for comment in comments}) if comments else {}
    return [
        Item(comment, FOLLOWED, about.title, about.url)
        for comment in comments
        for about in [found[Topic.parse(comment.topic)]]
    ]


def _entry(parley: Parley, item: Item) -> Entry:
    comment = item.comment
    page = host_pages.public_page(parley.settings, comment.topic, item.page)  # where the comment was written
    url = f"{page}#comment-{comment.id}"
    return Entry(comment.username, ACTS[item.kind], in_one_line(item.title), url, *quotable(comment))


def quotable(comment: Comment) -> tuple[str, Markup]:
    """(the comment's text, its HTML), shortened for a mail."""
    is_long = len(comment.body) > MAX_QUOTED_LENGTH
    body = f"{comment.body[:MAX_QUOTED_LENGTH].rstrip()}…" if is_long else comment.body
    return body, Markup(markdown.plain_html(body) if is_long else comment.shown()[0])


def quoted(body: str) -> str:
    """The text as a quote in a plain text."""
    return "\n".join(f"> {line}".rstrip() for line in body.split("\n"))
