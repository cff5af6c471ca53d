"""Texts: what a mail to a moderator says, as plain text and as HTML.

They are written when the mail is sent, from the rows as they are then. News of a comment that was hidden or deleted
meanwhile is left out, and so is a report that is settled. News of a removal names the comment, and never quotes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from markupsafe import Markup
from sqlalchemy import func, or_, select

from app.accounts.user import MailChoice, User
from app.commentables import commentables, host_pages
from app.commentables.commentables import Commentable
from app.comments.comments import SHOWN_TO_ALL, Comment
from app.database import Reading
from app.live.service import Parley
from app.live.topics import Topic
from app.mail.mail_queue import Mail
from app.moderation.audit_log import Act, Decision
from app.moderation.reports import Report
from app.moderator_mail.choices import DIGEST, choice_of, unsubscribe_url
from app.moderator_mail.news import About, News
from app.pages.templates import render_mail
from app.reply_mail.texts import quotable, quoted
from app.text.bidi import isolated
from app.text.visible_text import in_one_line

MAX_ENTRIES = 100  # of one mail; it says how many are left out
SUBJECTS = {
    About.REPORT: "Reported comments",
    About.COMMENT: "New comments",
    About.EDIT: "Edited comments",
    About.REMOVAL: "Removed comments",
    DIGEST: "Your daily moderation email",
}
ACTS = {Act.HIDE: "hid", Act.ERASE: "erased"}


@dataclass(frozen=True)
class Entry:
    """News in a mail: a sentence, a note of the person who acted, and the comment's text; "" if it is not shown."""

    sentence: str
    title: str
    note: str
    url: str
    body: str
    html: Markup

    @property
    def text(self) -> str:
        where = f" in “{isolated(self.title)}”" if self.title else ""
        note = f"Note: {isolated(self.note)}" if self.note else ""
        return "\n\n".join(filter(None, (f"{self.sentence}{where}:", note, self.body and quoted(self.body), self.url)))


@dataclass(frozen=True)
class Texts:
    """The parts of a mail. `thread` is the same for all mails of one kind to one person."""

    subject: str
    entries: list[Entry]
    left_out: int
    thread: UUID
    stop_url: str
    public_url: str

    @property
    def text(self) -> str:
        more = [f"{self.left_out} more are not in this email."] if self.left_out else []
        return "\n\n\n".join([*(entry.text for entry in self.entries), *more])

    @property
    def html(self) -> str:
        return render_mail("moderator_mail.html", {"mail": self})


async def read(parley: Parley, reading: Reading, mail: Mail, user: User) -> Texts | None:
    """The texts of this mail to this account; None if nothing is left that the moderator wants."""
    kind = mail.about or DIGEST
    wanted = [about for about in About if choice_of(user, about) is not MailChoice.NEVER]
    comment_id = func.coalesce(Report.comment_id, Decision.comment_id, News.object_id)
    is_shown = News.about.in_((About.COMMENT, About.EDIT)) & SHOWN_TO_ALL
    is_open = (News.about == About.REPORT) & Report.deleted_at.is_(None)
    query = (
        select(News.object_id, News.about, Comment, Report, Decision)
        .outerjoin(Report, Report.id == News.object_id)
        .outerjoin(Decision, Decision.id == News.object_id)
        .join(Comment, Comment.id == comment_id)
        .where(News.mail_id == mail.id, News.user_id == user.id, News.about.in_(wanted))
        .where(or_(is_shown, is_open, News.about == About.REMOVAL))
    )
    found = (await reading.execute(query.order_by(News.created_at, News.id).limit(MAX_ENTRIES))).all()
    if not found:
        return None
    count = await reading.scalar(query.with_only_columns(func.count())) or 0
    places = await commentables.of(reading, [Topic.parse(row.Comment.topic) for row in found])
    # Two edits of one comment are one entry, because both have the text of now.
    entries = {(row.about, row.object_id): _entry(parley, places, *row[1:]) for row in found}
    return Texts(
        subject=SUBJECTS[About(kind) if kind != DIGEST else DIGEST],
        entries=list(entries.values()),
        left_out=count - len(found),
        thread=uuid5(user.id, f"moderator mail/{kind}"),
        stop_url=unsubscribe_url(parley, user.id, kind),
        public_url=parley.settings.public_url,
    )


def _entry(
    parley: Parley,
    places: dict[Topic, Commentable],
    about: str,
    comment: Comment,
    report: Report | None,
    decision: Decision | None,
) -> Entry:
    place = places[Topic.parse(comment.topic)]
    page = host_pages.public_page(parley.settings, comment.topic, place.url)
    note = in_one_line(decision.reason if decision else report.note if report else "")
    sentence = _sentence(about, comment, report, decision)
    body, html = quotable(comment) if comment.counts and not decision else ("", Markup())
    return Entry(sentence, in_one_line(place.title), note, f"{page}#comment-{comment.id}", body, html)


def _sentence(about: str, comment: Comment, report: Report | None, decision: Decision | None) -> str:
    if decision:
        moderator = isolated(decision.username) or "The operator"
        return f"{moderator} {ACTS[Act(decision.act)]} a comment of {isolated(decision.person_name)}"
    author = isolated(comment.username)
    if report:
        return f"{isolated(report.username)} reported a comment of {author} ({report.reason})"
    return f"{author} wrote" if about == About.COMMENT else f"{author} edited a comment"
