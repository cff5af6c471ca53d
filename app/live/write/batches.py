"""Batches: a change of many rows, in several transactions, so that no transaction holds a topic for long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select

from app.live.model import Live
from app.live.service import Parley
from app.live.topics import Topic
from app.live.write.transaction import Write

BATCH_SIZE = 200  # rows in one transaction

Row = TypeVar("Row", bound=Live)


async def change_all(
    parley: Parley,
    left: Select[Row],
    change: Callable[[Write, Sequence[Row]], Awaitable[None]],
    also: Callable[[Row], Sequence[Topic]] = lambda row: (),
    by: str = "topic",
) -> None:
    """Pass all rows of the query `left` to `change`, in batches of one topic. It must change each row so that `left` no
    longer finds it. Several processes may run this at once, and it may run again after it was interrupted.

    Each transaction holds the topic in the column `by`, whose rows are in the batch, and the topics `also`.
    """
    while True:
        async with parley.reading() as reading:
            first: Any = await reading.scalar(left.limit(1))
        if first is None:
            return
        model, name = type(first), getattr(first, by)
        batch = left.where(getattr(model, by) == name).order_by(model.seq).limit(BATCH_SIZE)
        async with parley.writing(Topic.parse(name), *also(first)) as write:
            await change(write, (await write.session.scalars(batch)).all())
