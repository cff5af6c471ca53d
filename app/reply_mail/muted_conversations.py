"""Muted conversations: a person gets no mail about them. Their notifications still appear in the bell. To mute a
conversation ends following it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, bindparam, delete, select, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from app.accounts.user import User
from app.database import Base, Instant, Reading, Writing
from app.live.model import MAX_TOPIC_LENGTH
from app.live.service import Parley
from app.live.topics import Topic
from app.live.write.transaction import owned
from app.reply_mail.follows import Follow

MAX_MUTED = 1_000  # of one account; the oldest mute ends, because a person can always stop mail about one more


class MutedConversation(Base):
    __tablename__ = "muted_conversations"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH), primary_key=True)  # the topic of its comments
    created_at: Mapped[datetime] = mapped_column(Instant)


@owned
async def mute(parley: Parley, user_id: UUID | None, place: Topic) -> None:
    """Send this account no mail about the conversation. Muting it again is no error."""
    async with parley.database.transaction() as writing, writing.begin():
        await lock_choices(writing, user_id)
        await writing.execute(delete(Follow).where(Follow.user_id == user_id, Follow.place == str(place)))
        await writing.execute(_MUTE, {"user_id": user_id, "place": str(place), "now": datetime.now(UTC)})
        newest = select(MutedConversation.place).where(MutedConversation.user_id == user_id)
        newest = newest.order_by(MutedConversation.created_at.desc()).limit(MAX_MUTED)
        theirs = MutedConversation.user_id == user_id
        await writing.execute(delete(MutedConversation).where(theirs, MutedConversation.place.not_in(newest)))


@owned
async def unmute(parley: Parley, user_id: UUID | None, place: Topic) -> None:
    """Send mail about the conversation again. It is no error if it was not muted."""
    async with parley.database.transaction() as writing, writing.begin():
        both = (MutedConversation.user_id == user_id, MutedConversation.place == str(place))
        await writing.execute(delete(MutedConversation).where(*both))


async def lock_choices(writing: Writing, user_id: UUID | None) -> bool:
    """Lock the choices of conversations of this account, because it cannot both follow and mute one. Returns whether
    the account exists."""
    there = select(User.id).where(User.id == user_id, User.deleted_at.is_(None))
    return await writing.scalar(there.with_for_update(key_share=True)) is not None


async def muted_by(reading: Reading, user_id: UUID | None) -> list[Topic]:
    """The conversations that this account has muted, the newest mute first."""
    theirs = select(MutedConversation.place).where(MutedConversation.user_id == user_id)
    places = await reading.scalars(theirs.order_by(MutedConversation.created_at.desc(), MutedConversation.place))
    return [Topic.parse(place) for place in places]


async def clean_up_account(writing: Writing, user_id: UUID) -> None:
    await writing.execute(delete(MutedConversation).where(MutedConversation.user_id == user_id))


_MUTE = text(
    "INSERT INTO muted_conversations (user_id, place, created_at) VALUES (:user_id, :place, :now)"
    " ON CONFLICT (user_id, place) DO NOTHING"
).bindparams(bindparam("user_id", type_=Uuid()), bindparam("now", type_=Instant))
