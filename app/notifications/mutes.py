"""Mutes: comments of a muted account no longer notify the person who muted it. They stay readable, and the muted person
does not learn about the mute."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, ForeignKey, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.user import User
from app.among import among
from app.database import Base, Instant, Reading, Writing
from app.errors import Forbidden, Invalid, Missing, SignInFirst
from app.live.service import Parley
from app.live.viewers import Viewer
from app.live.write.transaction import owned

MAX_MUTES = 1_000  # of one account


class Mute(Base):
    __tablename__ = "mutes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)  # the person who is not notified
    muted_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)  # the author
    created_at: Mapped[datetime] = mapped_column(Instant)


@owned
async def mute(parley: Parley, viewer: Viewer, other_id: UUID) -> None:
    """Comments of this account no longer notify the viewer. Muting it again is no error.

    Raises SignInFirst, Missing, Invalid for the viewer's own account, Forbidden beyond `MAX_MUTES`.
    """
    if viewer.user_id is None:
        raise SignInFirst
    if other_id == viewer.user_id:
        raise Invalid("id", "You can't mute yourself.")
    try:
        async with parley.database.transaction() as writing, writing.begin():
            other = await writing.get(User, other_id)
            if other is None or other.deleted_at:
                raise Missing("There is no such account.")
            if await writing.get(Mute, (viewer.user_id, other_id)):
                return
            theirs = select(func.count()).select_from(Mute).where(Mute.user_id == viewer.user_id)
            if (await writing.scalar(theirs) or 0) >= MAX_MUTES:
                raise Forbidden(f"You can mute at most {MAX_MUTES} people.")
            writing.add(Mute(user_id=viewer.user_id, muted_id=other_id, created_at=datetime.now(UTC)))
    except IntegrityError:
        return  # another request muted them at the same moment


@owned
async def unmute(parley: Parley, viewer: Viewer, other_id: UUID) -> None:
    """Comments of this account notify the viewer again. It is no error if it was not muted. Raises SignInFirst."""
    if viewer.user_id is None:
        raise SignInFirst
    async with parley.database.transaction() as writing, writing.begin():
        both = (Mute.user_id == viewer.user_id, Mute.muted_id == other_id)
        await writing.execute(delete(Mute).where(*both))


async def muted_by(reading: Reading, viewer: Viewer) -> list[User]:
    """The accounts that this viewer has muted, by name."""
    muted = select(Mute.muted_id).where(Mute.user_id == viewer.user_id)
    query = select(User).where(User.id.in_(muted), User.deleted_at.is_(None)).order_by(User.username_key)
    return list((await reading.scalars(query)).all())


def find_muting(
    connection: Connection, authors: Iterable[UUID | None], people: Iterable[UUID]
) -> set[tuple[UUID, UUID]]:
    """(a person, an author whom this person has muted), for all pairs of these."""
    found = connection.execute(_BETWEEN, {"authors": authors, "people": people})
    return {(row.user_id, row.muted_id) for row in found}


_BETWEEN = select(Mute.user_id, Mute.muted_id).where(among(Mute.muted_id, "authors"), among(Mute.user_id, "people"))


async def clean_up_account(writing: Writing, user_id: UUID) -> None:
    """Remove all mutes by and of a deleted account."""
    await writing.execute(delete(Mute).where(or_(Mute.user_id == user_id, Mute.muted_id == user_id)))
