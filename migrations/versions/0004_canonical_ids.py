"""One conversation for one commentable: comments under other forms of its id move to the canonical id.

`Article/2024/hello/` and `Article/2024/hello` were two topics. The comments of the first are appended to the second:
the counter of the second is added to all their seqs. So their order and `edited` stay, and seqs have no gaps. Then the
database gets a new epoch, because clients know both topics by their old seqs.

An id that is refused from now on (`a/../b`, invisible characters) gets the nearest allowed one, so that moderators and
readers still find the comments. A downgrade keeps the new names.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterator
from uuid import UUID, uuid5

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Connection, column

from app.live.topics import MAX_ID_LENGTH, BadTopic, canonical_id

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OWN_TYPES = ("User", "Moderation")
ABOUT = "Commentable/"
PLACES = UUID("6f0a7c1e-5a0b-4d3e-9c53-0b8f2d9f4a61")  # the namespace of commentables' ids
BATCH = 1_000  # names that are read at once
LIVE = {"topic", "seq", "created_seq", "deleted_at"}  # the columns of a live model's table
TOPIC = sa.String(251)
SEQS = ("seq", "created_seq", "content_seq")

TOPICS = sa.table("topics", column("name", TOPIC), column("seq", sa.BigInteger()))
EPOCHS = sa.table("epochs", column("value", sa.String(32)))
COMMENTS = sa.table("comments", column("topic", TOPIC), column("deleted_at"), column("hidden_at"))
COMMENTABLES = sa.table(
    "commentables", column("id", sa.Uuid()), column("topic", TOPIC), column("title", sa.String(200)),
    column("locked", sa.Boolean()), column("comments_count", sa.Integer()),
)  # fmt: skip


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")  # every writer locks its topic there first
    moved = dict(sorted(_moved(connection)))
    if not moved:
        return
    columns = _columns(connection)
    live = {name: found for name, found in columns.items() if found >= LIVE}
    for old, new in moved.items():
        _append(connection, live, old, new)
        _merge_commentables(connection, old, new)
    for name, found in columns.items():
        if "place" in found:
            _rename_places(connection, name, moved)
    connection.execute(sa.update(EPOCHS).values(value=secrets.token_urlsafe(6)))


def downgrade() -> None:
    pass


def _moved(connection: Connection) -> Iterator[tuple[str, str]]:
    """(a place's name, its canonical name) for those that differ."""
    last = ""
    while names := _names_after(connection, last):
        for name in names:
            type_, _, id_ = name.removeprefix(ABOUT).partition("/")
            if type_ not in OWN_TYPES and (canonical := _nearest(id_)) != id_:
                yield f"{type_}/{id_}", f"{type_}/{canonical}"
        last = names[-1]


def _names_after(connection: Connection, last: str) -> list[str]:
    query = sa.select(TOPICS.c.name).where(TOPICS.c.name > last).order_by(TOPICS.c.name).limit(BATCH)
    return list(connection.scalars(query))


def _nearest(id_: str) -> str:
    """The canonical id. For an id that is refused, the allowed id that looks most like it."""
    try:
        return canonical_id(id_)
    except BadTopic:
        pass
    segments: list[str] = []
    for segment in unicodedata.normalize("NFC", id_).strip(" /").split("/"):
        if segment == "..":
            segments[-1:] = []
        elif segment not in ("", "."):
            segments.append("".join(character if _is_seen(character) else "_" for character in segment))
    try:
        return canonical_id("/".join(segments)[:MAX_ID_LENGTH])
    except BadTopic:
        return "_"


def _is_seen(character: str) -> bool:
    try:
        return bool(canonical_id(f"x{character}"))
    except BadTopic:
        return False


def _columns(connection: Connection) -> dict[str, set[str]]:
    """The columns of each table, including the tables of live models that others have added."""
    inspector = sa.inspect(connection)
    return {name: {found["name"] for found in inspector.get_columns(name)} for name in inspector.get_table_names()}


def _seq_of(connection: Connection, name: str) -> int | None:
    seq: int | None = connection.scalar(sa.select(TOPICS.c.seq).where(TOPICS.c.name == name))
    return seq


def _append(connection: Connection, live: dict[str, set[str]], old: str, new: str) -> None:
    """Append all rows of the topic `old` to the topic `new`."""
    added = _seq_of(connection, old)
    if added is None:
        return
    before = _seq_of(connection, new)
    for name, found in live.items():
        seqs = [seq for seq in SEQS if seq in found]
        place = sa.table(name, column("topic", TOPIC), *(column(seq, sa.BigInteger()) for seq in seqs))
        later = {seq: place.c[seq] + (before or 0) for seq in seqs}
        connection.execute(sa.update(place).where(place.c.topic == old).values(topic=new, **later))
    if before is None:
        connection.execute(sa.update(TOPICS).where(TOPICS.c.name == old).values(name=new))
    else:
        connection.execute(sa.update(TOPICS).where(TOPICS.c.name == new).values(seq=before + added))
        connection.execute(sa.delete(TOPICS).where(TOPICS.c.name == old))


def _merge_commentables(connection: Connection, old: str, new: str) -> None:
    """Merge both rows: the title of `new`, else that of `old`; locked if one of them was; all comments counted."""
    rows = {
        name: connection.execute(sa.select(COMMENTABLES).where(COMMENTABLES.c.id == uuid5(PLACES, name))).one_or_none()
        for name in (old, new)
    }
    left = rows[old]
    if left is None:
        _recount(connection, new)
        return
    there = rows[new]
    if there is None:
        topic = {"topic": ABOUT + new, "id": uuid5(PLACES, new)}
        connection.execute(sa.update(COMMENTABLES).where(COMMENTABLES.c.id == left.id).values(**topic))
        connection.execute(sa.update(TOPICS).where(TOPICS.c.name == ABOUT + old).values(name=ABOUT + new))
    else:
        merged = {"title": there.title or left.title, "locked": there.locked or left.locked}
        connection.execute(sa.delete(COMMENTABLES).where(COMMENTABLES.c.id == left.id))
        connection.execute(sa.delete(TOPICS).where(TOPICS.c.name == ABOUT + old))
        connection.execute(sa.update(COMMENTABLES).where(COMMENTABLES.c.id == there.id).values(**merged))
    _recount(connection, new)


def _recount(connection: Connection, name: str) -> None:
    shown = (COMMENTS.c.topic == name, COMMENTS.c.deleted_at.is_(None), COMMENTS.c.hidden_at.is_(None))
    number = connection.scalar(sa.select(sa.func.count()).select_from(COMMENTS).where(*shown))
    here = sa.update(COMMENTABLES).where(COMMENTABLES.c.id == uuid5(PLACES, name))
    connection.execute(here.values(comments_count=number))


def _rename_places(connection: Connection, table: str, moved: dict[str, str]) -> None:
    """Rename the places in likes, notifications, reports and decisions. One pass over each table."""
    renamed = sa.table(table, column("place", TOPIC))
    names = list(moved)
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        new = sa.case({name: moved[name] for name in some}, value=renamed.c.place)
        connection.execute(sa.update(renamed).where(renamed.c.place.in_(some)).values(place=new))
