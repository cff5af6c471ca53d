"""Follows: the tables of `following` and `followers`. A person who follows a conversation gets mail about each new
comment in it. A place is the topic of a conversation's comments."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant
from app.live.model import MAX_TOPIC_LENGTH


class Follow(Base):
    """That a person follows a conversation, and how far mail about it is decided."""

    __tablename__ = "follows"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    decided_seq: Mapped[int] = mapped_column(BigInteger)  # for comments up to this seq, mail is queued or not wanted
    read_seq: Mapped[int] = mapped_column(BigInteger, default=0)  # the person has read comments up to this seq
    waiting_since: Mapped[datetime | None] = mapped_column(Instant)  # the time of the first comment that waits for mail
    mail_due_at: Mapped[datetime | None] = mapped_column(Instant)  # None: no comment waits for mail

    def decide(self, seq: int) -> None:
        """Mail about all comments up to this seq is queued, or not wanted."""
        self.decided_seq, self.waiting_since, self.mail_due_at = seq, None, None


# A follow is in the first one while it waits for mail, else in the second one.
_WAITING = Follow.mail_due_at.is_not(None)
Index("ix_follows_mail_due_at", Follow.mail_due_at, postgresql_where=_WAITING, sqlite_where=_WAITING)
_IDLE = Follow.mail_due_at.is_(None)
Index("ix_follows_place_idle", Follow.place, Follow.decided_seq, postgresql_where=_IDLE, sqlite_where=_IDLE)


class FollowedConversation(Base):
    """A conversation with followers. All of them were woken about its comments up to this seq."""

    __tablename__ = "followed_conversations"

    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)


class MailedRange(Base):
    """The comments of a followed conversation that a mail contains: those after a seq, up to another one."""

    __tablename__ = "mailed_ranges"

    mail_id: Mapped[UUID] = mapped_column(ForeignKey("mails.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH), primary_key=True)
    after_seq: Mapped[int] = mapped_column(BigInteger)
    upto_seq: Mapped[int] = mapped_column(BigInteger)
