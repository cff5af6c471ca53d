"""The moderation queue: open reports and decisions, in pages for moderators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import select

from app.database import Reading
from app.live.cursors import write_cursor
from app.live.topics import QUEUE
from app.live.write.sequences import read_heads
from app.moderation.audit_log import Decision
from app.moderation.reports import Report

PAGE = 50  # rows
MAX_PAGE_SIZE = 100

Row = TypeVar("Row", Report, Decision)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """A snapshot of the newest rows, or of those before a seq, and its cursor."""

    rows: Sequence[Row]
    cursor: str
    before: int | None  # the seq for the next request; None at the beginning


async def page(reading: Reading, model: type[Row], before: int | None = None, limit: int = PAGE) -> Page[Row]:
    """Read a page. The counter is read before the rows, so a change between the two is in both page and stream."""
    epoch, heads = await read_heads(reading, [QUEUE])
    query = select(model).where(model.topic == str(QUEUE), model.deleted_at.is_(None))
    if before is not None:
        query = query.where(model.created_seq < before)
    newest = query.order_by(model.created_seq.desc()).limit(limit + 1)
    rows = list((await reading.scalars(newest)).all())
    more = len(rows) > limit
    rows = rows[:limit][::-1]
    return Page(rows, write_cursor(epoch, heads), rows[0].created_seq if more else None)
