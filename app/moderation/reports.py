"""Reports: people's complaints about comments. They are on the moderators' topic.

A report exists while it is open. When a moderator settles it, or the comment is deleted, the report becomes a tombstone
without the reporter's name and note. The decision stays in the audit log (`app.moderation.audit_log`).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import Field
from sqlalchemy import Select, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.user import MAX_USERNAME_LENGTH
from app.database import Base, Instant, Reading
from app.live.model import MAX_TOPIC_LENGTH, Live, LiveModel, Tombstone, is_queue, render_as, to_moderators
from app.live.topics import QUEUE, Topic
from app.live.write.transaction import Write
from app.moderator_mail.news import report_news
from app.webhooks.deliveries import deliveries_of

MAX_NOTE_LENGTH = 1_000  # characters


class Reason(StrEnum):
    SPAM = "spam"
    ABUSE = "abuse"
    ILLEGAL = "illegal"
    OTHER = "other"


class Report(Live, Base):
    __tablename__ = "reports"

    user_id: Mapped[UUID] = mapped_column(index=True)  # the reporter
    username: Mapped[str] = mapped_column(String(MAX_USERNAME_LENGTH))
    comment_id: Mapped[UUID] = mapped_column(index=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH))  # the comment's topic
    reason: Mapped[Reason] = mapped_column(String(20))  # read as a plain string
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)

    def erase(self) -> None:
        self.username = self.note = ""


class RenderedReport(Tombstone):
    """Somebody's report of a comment, for moderators."""

    comment_id: UUID
    place: Annotated[str, Field(description="The topic of the comment, like `Article/1`.")]
    username: str
    reason: Reason
    note: str
    created_at: datetime


render = render_as(Report, RenderedReport)
REPORT = LiveModel("report", Report, render, to_moderators, lives_on=is_queue, record=(deliveries_of, report_news))


def id_of(user_id: UUID, comment_id: UUID) -> UUID:
    """The id of a new report. It includes the model's name, because the id of a like is made from the same person and
    comment."""
    return uuid5(user_id, f"report/{comment_id}")


async def by(reading: Reading, user_id: UUID, comment_id: UUID) -> Report | None:
    """This person's report of this comment, even if it is a tombstone. Older rows have other ids than `id_of` makes."""
    theirs = (Report.user_id == user_id, Report.comment_id == comment_id)
    return await reading.scalar(select(Report).where(*theirs))


async def where(reading: Reading, comment_id: UUID) -> list[Topic]:
    """The topic that a write must lock to change this comment's open reports; empty if there are none."""
    return [QUEUE] if await reading.scalar(_open(comment_id).limit(1)) else []


async def settle(write: Write, *comment_ids: UUID) -> int:
    """Close the open reports of these comments. Returns their number. If there are any, the write holds `QUEUE`."""
    reports = (await write.session.scalars(_open(*comment_ids))).all()
    for report in reports:
        write.destroy(report)
    return len(reports)


async def touch(write: Write, comment_id: UUID) -> None:
    """Send the open reports again after an edit, so that moderators reload the comment. The write holds `QUEUE`."""
    for report in await write.session.scalars(_open(comment_id)):
        write.update(report)


def _open(*comment_ids: UUID) -> Select[Report]:
    theirs = (Report.comment_id.in_(comment_ids), Report.deleted_at.is_(None))
    return select(Report).where(*theirs).order_by(Report.seq)
