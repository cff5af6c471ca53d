"""Decisions: what moderators did, to what, and why: the audit trail. Kept for good, and live on their topic."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant
from app.live.model import LONGEST_TOPIC, Live, LiveModel, to_moderators
from app.live.topics import QUEUE, Topic
from app.live.viewers import Kind, Viewer
from app.live.writing import Write
from app.models.user import LONGEST_USERNAME

LONGEST_REASON = 1_000  # characters
LONGEST_SUBJECT = 300  # a gid


class Act(StrEnum):
    """What was decided."""

    HIDE = "hide"
    RESTORE = "restore"
    DISMISS = "dismiss"  # reports of what may stand
    LOCK = "lock"
    UNLOCK = "unlock"
    BLOCK = "block"
    UNBLOCK = "unblock"
    APPOINT = "appoint"  # somebody has another role


class Decision(Live, Base):
    __tablename__ = "decisions"

    user_id: Mapped[UUID]  # who decided
    username: Mapped[str] = mapped_column(String(LONGEST_USERNAME))
    act: Mapped[str] = mapped_column(String(20))  # an Act
    subject: Mapped[str] = mapped_column(String(LONGEST_SUBJECT))  # the gid of what it was done to
    place: Mapped[str | None] = mapped_column(String(LONGEST_TOPIC))  # the topic that it is on
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)


def render(decision: Decision, kind: Kind = Kind.MODERATOR) -> dict[str, Any]:
    return {
        **decision.tombstone(),
        "username": decision.username,
        "act": decision.act,
        "subject": decision.subject,
        "place": decision.place,
        "reason": decision.reason,
        "created_at": decision.created_at,
    }


DECISION = LiveModel("decision", Decision, render, to_moderators, lives_on=lambda topic: topic == QUEUE)


def record(write: Write, by: Viewer, act: Act, subject: str, place: Topic | None = None, reason: str = "") -> None:
    """Note who did what, in the transaction that does it. The write holds `QUEUE`."""
    write.create(
        Decision(
            id=uuid4(), topic=str(QUEUE), user_id=by.user_id, username=by.username, act=act, subject=subject,
            place=place and str(place), reason=reason, created_at=datetime.now(UTC),
        )
    )  # fmt: skip
