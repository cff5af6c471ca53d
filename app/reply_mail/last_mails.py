"""Last mails: when an account last got a mail about a conversation, or a digest.

The process that queues the next mail of such a group locks the group's row first. So two processes cannot both queue
it, and the second one sees when the first one did.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, text, update
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from app.database import Base, Instant, Writing
from app.live.model import MAX_TOPIC_LENGTH

ALL_PLACES = ""  # the place of a digest


class LastMail(Base):
    """`app.moderator_mail` has rows here, too, with words in place of a topic."""

    __tablename__ = "last_mails"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    place: Mapped[str] = mapped_column(String(MAX_TOPIC_LENGTH), primary_key=True)
    mailed_at: Mapped[datetime | None] = mapped_column(Instant, index=True)


async def lock(writing: Writing, place: str, user_ids: Collection[UUID]) -> Mapping[UUID, datetime | None]:
    """Lock these accounts' groups of this place until the commit. Returns the time of the last mail of each.

    They are locked in the order of their ids, so that two transactions cannot wait for each other.
    """
    values = {"place": place, "ids": json.dumps(sorted(id_.hex for id_ in user_ids))}
    rows = await writing.execute(_LOCK[writing.get_bind().dialect.name], values)
    return {row.user_id: row.mailed_at for row in rows}


async def note(writing: Writing, place: str, user_ids: Collection[UUID], now: datetime) -> None:
    """Each of these accounts gets a mail now. The transaction has locked their groups."""
    theirs = (LastMail.place == place, LastMail.user_id.in_(user_ids))
    await writing.execute(update(LastMail).where(*theirs).values(mailed_at=now))


# Both read the ids from a JSON array in its order. SQLite stores them as they are in it.
_LOCK = {
    dialect: text(
        f"INSERT INTO last_mails (user_id, place) SELECT {id_}, :place FROM {ids} WHERE true"
        " ON CONFLICT (user_id, place) DO UPDATE SET place = excluded.place RETURNING user_id, mailed_at"
    ).columns(user_id=Uuid(), mailed_at=Instant)
    for dialect, id_, ids in (
        ("sqlite", "value", "json_each(:ids)"),
        ("postgresql", "CAST(value AS uuid)", "json_array_elements_text(CAST(:ids AS json))"),
    )
}
