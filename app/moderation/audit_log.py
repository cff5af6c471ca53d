"""The audit log: each decision of a moderator, with its object and its reason. It is live and kept permanently.

A decision is never changed or deleted; a later one can reverse it. Only names of deleted accounts are removed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.user import MAX_USERNAME_LENGTH, User
from app.database import Base, Instant
from app.live.model import MAX_TOPIC_LENGTH, Live, LiveModel, Tombstone, is_queue, render_as, to_moderators
from app.live.topics import QUEUE, Topic
from app.live.write.transaction import Write
from app.moderator_mail.news import removal_news
from app.webhooks.deliveries import deliveries_of

MAX_REASON_LENGTH = 1_000  # characters


class Act(StrEnum):
    """The kind of a decision."""

    HIDE = "hide"
    RESTORE = "restore"
    ERASE = "erase"  # delete somebody's comment permanently
    DISMISS = "dismiss"  # close the reports of a comment without hiding it
    LOCK = "lock"
    UNLOCK = "unlock"
    TITLE = "title"  # set the title of a conversation; the reason is the title
    PAGE = "page"  # set the host's page of a conversation; the reason is its URL
    BLOCK = "block"
    UNBLOCK = "unblock"
    MEMBER = "member"  # assign this role to an account
    MODERATOR = "moderator"
    OWNER = "owner"


class Decision(Live, Base):
    """A decision, with its moderator and its object: a comment, a conversation or an account."""

    __tablename__ = "decisions"

    user_id: Mapped[UUID | None] = mapped_column(index=True)  # the moderator; None: the command line
    username: Mapped[str] = mapped_column(String(MAX_USERNAME_LENGTH))
    act: Mapped[Act] = mapped_column(String(20))  # read as a plain string
    place: Mapped[str | None] = mapped_column(String(MAX_TOPIC_LENGTH))  # the topic
    comment_id: Mapped[UUID | None]
    person_id: Mapped[UUID | None] = mapped_column(index=True)  # the comment's author, or the account
    person_name: Mapped[str] = mapped_column(String(MAX_USERNAME_LENGTH))
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)


class RenderedDecision(Tombstone):
    """A moderator's decision and its reason, for moderators."""

    username: str
    act: Act
    place: str | None
    comment_id: UUID | None
    person_id: UUID | None
    person_name: str
    reason: str
    created_at: datetime


render = render_as(Decision, RenderedDecision)
DECISION = LiveModel(
    "decision", Decision, render, to_moderators, lives_on=is_queue, record=(deliveries_of, removal_news)
)


def record(
    write: Write,
    by: User | None,
    act: Act,
    *,
    place: Topic | None = None,
    comment_id: UUID | None = None,
    person: tuple[UUID, str] | None = None,
    reason: str = "",
) -> None:
    """Store a decision in the transaction of the change. The write holds `QUEUE`. `by` is None for the command line."""
    person_id, person_name = person or (None, "")
    write.create(
        Decision(
            id=uuid4(), topic=str(QUEUE), user_id=by and by.id, username=by.username if by else "", act=act,
            place=place and str(place), comment_id=comment_id, person_id=person_id, person_name=person_name,
            reason=reason, created_at=datetime.now(UTC),
        )
    )  # fmt: skip
