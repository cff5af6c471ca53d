"""Reports: that somebody finds that a comment should not stand. They live on the moderators' topic."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant
from app.live.model import LONGEST_TOPIC, Live, LiveModel, to_moderators
from app.live.topics import QUEUE, Topic
from app.live.viewers import Kind
from app.models.user import LONGEST_USERNAME

LONGEST_NOTE = 1_000  # characters


class Reason(StrEnum):
    SPAM = "spam"
    ABUSE = "abuse"
    ILLEGAL = "illegal"
    OTHER = "other"


class Report(Live, Base):
    __tablename__ = "reports"

    user_id: Mapped[UUID]  # who reports
    username: Mapped[str] = mapped_column(String(LONGEST_USERNAME))
    comment_id: Mapped[UUID] = mapped_column(index=True)
    place: Mapped[str] = mapped_column(String(LONGEST_TOPIC))  # the comment's topic
    reason: Mapped[str] = mapped_column(String(20))  # a Reason
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)  # a moderator has seen to it

    def erase(self) -> None:
        self.username = self.note = ""

    def tombstone(self) -> dict[str, Any]:
        place = Topic.parse(self.place)
        return {**super().tombstone(), "commentable_type": place.type, "commentable_id": place.id}


def render(report: Report, kind: Kind = Kind.MODERATOR) -> dict[str, Any]:
    return {
        **report.tombstone(),
        "comment_id": report.comment_id,
        "username": report.username,
        "reason": report.reason,
        "note": report.note,
        "created_at": report.created_at,
        "settled": report.settled_at is not None,
    }


REPORT = LiveModel("report", Report, render, to_moderators, lives_on=lambda topic: topic == QUEUE)


def id_of(user_id: UUID, comment_id: UUID) -> UUID:
    """One for each person and comment."""
    return uuid5(user_id, str(comment_id))
