"""News: changes that moderators may want mail about. A change is one row, written in the transaction of the change.

1. A row is written only if mail can be sent and some moderator wants mail of its kind (`app.live.write.recording`).
   Otherwise the writer of a comment executes no statement for this.
2. It names the object, and has no content. So no text is sent after it was erased or hidden.
3. A row without `user_id` is a change. `app.moderator_mail.queueing` replaces it by one row for each recipient.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant
from app.live.write.recording import Recording

REMOVING = frozenset({"hide", "erase"})  # values of `app.moderation.audit_log.Act`, which imports this module


class About(StrEnum):
    """The kind of the news. `User` has a choice for each, `mail_on_<kind>`."""

    REPORT = "report"
    COMMENT = "comment"  # a new one
    EDIT = "edit"
    REMOVAL = "removal"  # a moderator has hidden or erased a comment


class News(Base):
    __tablename__ = "moderator_news"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    about: Mapped[About] = mapped_column(String(10))  # read as a plain string
    object_id: Mapped[UUID]  # the comment, the report or the decision
    actor_id: Mapped[UUID | None]  # the person who made the change; None: the command line
    created_at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[UUID | None] = mapped_column(index=True)  # the recipient (3)
    due_at: Mapped[datetime | None] = mapped_column(Instant, index=True)  # None: it is in a mail, or has no recipient
    mail_id: Mapped[UUID | None] = mapped_column(index=True)  # the mail about it


def comment_news(recording: Recording, comment: Any) -> Sequence[News]:
    """A new or edited comment. Other changes of it, such as likes, are no news."""
    if comment.deleted_at or comment.seq != comment.content_seq:
        return ()
    return _news(recording, About.COMMENT if comment.seq == comment.created_seq else About.EDIT, comment)


def report_news(recording: Recording, report: Any) -> Sequence[News]:
    return _news(recording, About.REPORT, report) if report.seq == report.created_seq else ()


def removal_news(recording: Recording, decision: Any) -> Sequence[News]:
    is_removal = decision.seq == decision.created_seq and decision.act in REMOVING
    return _news(recording, About.REMOVAL, decision) if is_removal else ()


def _news(recording: Recording, about: About, row: Any) -> Sequence[News]:
    if not recording.settings.sends_mail or not recording.wants(about):
        return ()
    now = datetime.now(UTC)
    return [News(id=uuid4(), about=about, object_id=row.id, actor_id=row.user_id, created_at=now)]
