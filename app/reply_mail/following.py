"""Following: a person follows a conversation, ends that, or has read it. To follow a conversation ends its mute."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, func, select, text, update
from sqlalchemy.types import Uuid

from app.database import Instant, Reading, Writing
from app.errors import Forbidden, SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.write.sequences import Counter
from app.live.write.transaction import owned
from app.reply_mail.follows import Follow
from app.reply_mail.muted_conversations import MutedConversation, lock_choices

MAX_FOLLOWED = 1_000  # conversations of one account


@owned
async def follow(parley: Parley, user_id: UUID | None, place: Topic) -> None:
    """Send this account mail about each comment that is written from now on. Following it again is no error.

    Raises SignInFirst, and Forbidden beyond `MAX_FOLLOWED`.
    """
    async with parley.database.transaction() as writing, writing.begin():
        if user_id is None or not await lock_choices(writing, user_id):
            raise SignInFirst
        others = select(func.count()).select_from(Follow).where(Follow.user_id == user_id, Follow.place != str(place))
        if (await writing.scalar(others) or 0) >= MAX_FOLLOWED:
            raise Forbidden(f"You can follow at most {MAX_FOLLOWED:,} conversations. Your account page lists them.")
        muted = (MutedConversation.user_id == user_id, MutedConversation.place == str(place))
        await writing.execute(delete(MutedConversation).where(*muted))
        # Locks the conversation. `followers` has woken the others up to here, and sees the new follow afterwards.
        await writing.execute(_REGISTER, {"place": str(place)})
        await writing.execute(_FOLLOW, {"user_id": user_id, "place": str(place), "now": datetime.now(UTC)})


@owned
async def unfollow(parley: Parley, user_id: UUID | None, place: Topic) -> None:
    """Send no more mail about new comments; about replies and mentions as before. It is no error if it was not
    followed."""
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(delete(Follow).where(Follow.user_id == user_id, Follow.place == str(place)))


@owned
async def mark_read(parley: Parley, user_id: UUID | None, place: Topic, upto: int) -> None:
    """The person has read the comments up to this seq, so no mail about them is needed. It is no error if the
    conversation is not followed. A seq beyond the newest change counts as that one."""
    async with parley.database.transaction() as writing, writing.begin():
        head = await writing.scalar(select(Counter.seq).where(Counter.name == str(place))) or 0
        theirs = (Follow.user_id == user_id, Follow.place == str(place), Follow.read_seq < min(upto, head))
        await writing.execute(update(Follow).where(*theirs).values(read_seq=min(upto, head)))


async def followed_by(reading: Reading, user_id: UUID | None) -> list[Topic]:
    """The conversations that this account follows, the newest follow first."""
    theirs = select(Follow.place).where(Follow.user_id == user_id)
    places = await reading.scalars(theirs.order_by(Follow.created_at.desc(), Follow.place))
    return [Topic.parse(place) for place in places]


class Mails(StrEnum):
    """What an account has chosen for one conversation."""

    FOLLOWED = "followed"
    MUTED = "muted"
    USUAL = "usual"


async def mails_about(reading: Reading, user_id: UUID | None, place: Topic) -> Mails:
    followed, muted = (
        exists().where(model.user_id == user_id, model.place == str(place)) for model in (Follow, MutedConversation)
    )
    is_followed, is_muted = (await reading.execute(select(followed, muted))).one()
    return Mails.FOLLOWED if is_followed else Mails.MUTED if is_muted else Mails.USUAL


async def clean_up_account(writing: Writing, user_id: UUID) -> None:
    await writing.execute(delete(Follow).where(Follow.user_id == user_id))


_PLACE = "CAST(:place AS varchar)"
_HEAD = f"coalesce((SELECT seq FROM topics WHERE name = {_PLACE}), 0)"
_REGISTER = text(
    f"INSERT INTO followed_conversations (place, seq) VALUES ({_PLACE}, {_HEAD})"
    " ON CONFLICT (place) DO UPDATE SET place = excluded.place"
)
_FOLLOW = text(
    "INSERT INTO follows (user_id, place, created_at, decided_seq, read_seq)"
    f" VALUES (:user_id, {_PLACE}, :now, {_HEAD}, 0) ON CONFLICT (user_id, place) DO NOTHING"
).bindparams(bindparam("user_id", type_=Uuid()), bindparam("now", type_=Instant))
