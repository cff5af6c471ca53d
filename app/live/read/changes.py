"""Changes: read the rows of a topic's tables between two seqs, and encode each once for each kind of viewer.

The rule of reading: a reader reads rows after the topic's counter h, or at the same moment. Otherwise it can miss rows
with a seq up to h.

1. If one table lives on the topic, one statement reads the epoch, h and the rows with `after < seq <= h` (`read_news`).
   A statement has one snapshot, and a commit shows its rows and its counter at once. This holds for a plain SELECT:
   a lock or a function that queries would see a later state.
2. If several tables live on it, the first statement reads h. Later statements read the rows of one table each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, and_, bindparam, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.live.model import Live, LiveModel
from app.live.topics import Topic
from app.live.viewers import AUTHOR, KINDS, Kind
from app.live.wire import model_line, with_members
from app.live.write.sequences import Counter, Epoch, read_heads


@dataclass(frozen=True, slots=True)
class Frame:
    """A change for one kind of viewer: its `data:` line, and whether it shows the object or removes it."""

    shows: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """An object's latest state, or its tombstone, at `seq`. The frames are None if the model is not rendered.

    `frames` does not have the members that only the author gets: see `frame`.
    """

    live: LiveModel
    id: UUID
    seq: int
    created_seq: int
    author_id: UUID | None
    frames: Mapping[Kind, Frame | None]
    full_seq: int = 0
    partial: Frame | None = None  # only the members that changed since `full_seq`; None if all of them may have

    def frame(self, kind: Kind) -> Frame | None:
        """The frame with all members. The author's is not stored, because it would double the memory for one viewer."""
        frame = self.frames[kind]
        if kind is AUTHOR and frame and frame.shows and self.live.for_author:
            return Frame(True, with_members(frame.data, self.live.for_author))
        return frame

    def frame_for(self, kind: Kind, complete: int) -> Frame | None:
        """The frame for a client that has each object as it was at the seq `complete` or later."""
        frame = self.frames[kind]
        if self.partial and frame and frame.shows and complete >= self.full_seq:
            return self.partial
        return self.frame(kind)

    def event_line(self, frame: Frame, caught_up_at: int) -> bytes:
        """The `event:` line for a client that had every object at the seq `caught_up_at`."""
        verb = "destroy"
        if frame.shows:
            verb = "create" if self.created_seq > caught_up_at else "update"
        return self.live.event_lines[verb]

    @property
    def key(self) -> tuple[str, UUID]:
        return self.live.name, self.id

    @property
    def size(self) -> int:
        """Bytes of the distinct frames."""
        frames = (*self.frames.values(), self.partial)
        return sum({frame.data: len(frame.data) for frame in frames if frame}.values())


def encode(live: LiveModel, row: Live) -> Change:
    seq, full_seq = row.seq, row.full_seq if live.partial else 0
    partial = None
    if live.partial and full_seq < seq and row.deleted_at is None:
        partial = _frame(True, live.partial(row))
    return Change(live, row.id, seq, row.created_seq, row.author_id, _frames(live, row), full_seq, partial)


def _frames(live: LiveModel, row: Live) -> Mapping[Kind, Frame | None]:
    """`Change.frames` for each kind of viewer. Those that see the same share one."""
    if live.render is None:
        return dict.fromkeys(KINDS)
    may_see = [kind for kind in KINDS if live.visible(row, kind)] if row.deleted_at is None else []
    frames: dict[Kind, Frame | None] = {}
    if len(may_see) < len(KINDS):
        frames = dict.fromkeys(KINDS, _frame(False, row.tombstone()))
    if may_see:
        frames |= dict.fromkeys(may_see, _frame(True, live.render(row)))
    return frames


class Changes(list[Change]):
    """Changes in order of seq. `settled`: no row had changed beyond the requested seq when it was read.

    A row that had changed beyond it is left out, with its earlier changes. The next read has its newest state.
    """

    settled = True


async def read_news(
    connection: AsyncConnection, models: Sequence[LiveModel], topic: Topic, after: int, most: int
) -> tuple[str, int, Changes]:
    """(the epoch, the topic's counter h, the changes of `after < seq <= h`). Above `most` seqs, no changes are read."""
    here = [live for live in models if live.lives_on(topic)]
    if len(here) == 1:
        return await read_table(connection, here[0], topic, after, most)  # (1)
    epoch, heads = await read_heads(connection, [topic])  # (2)
    h = heads[topic]
    if not 0 < h - after <= most:
        return epoch, h, Changes()
    changes, _ = await read_changes(connection, here, topic, after, h, limit=most + 1)
    return epoch, h, changes


async def read_table(
    connection: AsyncConnection, live: LiveModel, topic: Topic, after: int, most: int
) -> tuple[str, int, Changes]:
    """The same for a topic with one table."""
    found = (await connection.execute(_news(live), {"name": str(topic), "after": after, "most": most})).all()
    rows = [_row(live, values) for _, _, *values in found if any(values)]  # if no row is new, there are NULLs
    epoch, h, *_ = found[0]
    return epoch, h or 0, Changes(encode(live, row) for row in rows)


async def read_changes(
    connection: AsyncConnection, models: Sequence[LiveModel], topic: Topic, after: int, upto: int, limit: int
) -> tuple[Changes, int]:
    """(changes in order of seq, the seq they reach) of `after < seq <= upto`, at most `limit` from each table.

    `upto` is a counter that was read in an earlier statement. If the limit cuts a table short, that table is known only
    up to its last row, and all changes together reach no further than that.
    """
    rows: list[tuple[LiveModel, Live]] = []
    reached, settled = upto, True
    for live in (live for live in models if live.lives_on(topic)):
        beyond = {"in_topic": str(topic), "after": after, "most": limit}
        found = [_row(live, values) for values in await connection.execute(_rows(live), beyond)]
        rows += [(live, row) for row in found]
        if found and (len(found) == limit or found[-1].seq > upto):
            settled = False
            reached = min(reached, found[-1].seq) if len(found) == limit else reached
    rows.sort(key=lambda pair: pair[1].seq)
    changes = Changes(encode(live, row) for live, row in rows if row.seq <= reached)
    changes.settled = settled
    return changes, reached


@cache
def _rows(live: LiveModel) -> Any:
    """The query for one model's rows above a seq. Queries are cached, because one runs for every change."""
    model = live.model
    within = (model.topic == bindparam("in_topic"), model.seq > bindparam("after"))
    return select(*_columns(live).values()).where(*within).order_by(model.seq).limit(bindparam("most"))


@cache
def _news(live: LiveModel) -> Any:
    """The query for the epoch, the counter, and the rows of the topic's only table."""
    model, after = live.model, bindparam("after", type_=BigInteger)
    new = and_(model.topic == Counter.name, model.seq > after, model.seq <= Counter.seq)
    return (
        select(Epoch.value, Counter.seq, *_columns(live).values())
        .select_from(Epoch)
        .outerjoin(Counter, Counter.name == bindparam("name"))
        .outerjoin(model, and_(new, Counter.seq - after <= bindparam("most", type_=BigInteger)))
        .order_by(model.seq)
    )


@cache
def _columns(live: LiveModel) -> Mapping[str, Any]:
    """The columns of a model, by attribute."""
    return {attribute.key: attribute.columns[0] for attribute in inspect(live.model).column_attrs}


def _row(live: LiveModel, values: Iterable[Any]) -> Live:
    return live.model.plain(zip(_columns(live), values, strict=True))


def _frame(shows: bool, model: Mapping[str, Any]) -> Frame:
    return Frame(shows, model_line(model))
