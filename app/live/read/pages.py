"""Pages: a snapshot of a topic's rows, with the cursor of a stream that continues from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, select

from app.database import Reading
from app.live.cursors import write_cursor
from app.live.model import Live
from app.live.topics import Topic
from app.live.write.sequences import read_heads

PAGE_SIZE = 50  # rows
MAX_PAGE_SIZE = 100

Row = TypeVar("Row", bound=Live)


@dataclass(frozen=True)
class Page(Generic[Row]):
    rows: Sequence[Row]  # in order of creation
    cursor: str
    before: int | None  # the seq for the next request; None at the beginning


async def read_page(
    reading: Reading,
    model: type[Row],
    topic: Topic,
    *where: ColumnElement[bool],
    before: int | None = None,
    limit: int | None = PAGE_SIZE,
) -> Page[Row]:
    """The topic's newest rows, or the newest before a seq. With `limit=None`, all of them.

    The counter is read before the rows, so a change between the two is in both the page and the stream.
    """
    epoch, heads = await read_heads(reading, [topic])
    query = select(model).where(model.topic == str(topic), model.deleted_at.is_(None), *where)
    if before is not None:
        query = query.where(model.created_seq < before)
    newest = query.order_by(model.created_seq.desc()).limit(None if limit is None else limit + 1)
    rows = (await reading.scalars(newest)).all()
    page = rows[:limit][::-1]
    return Page(page, write_cursor(epoch, heads), page[0].created_seq if len(page) < len(rows) else None)
