"""Lanes: items that arrive while a lane works on others wait, and are then worked on together.

1. No item waits for more items to come: a batch is what arrived while the lane worked on the previous one.
2. If the work on a batch raises, every item of the batch raises that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from app.live.tasks import Tasks

MAX_BATCH = 64  # items; a batch of writes holds the counters of all its topics until the commit

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Lane(Generic[Item, Outcome]):
    """`work` returns the outcome of each item of a batch. It runs in a task of `tasks`, and never twice at once."""

    def __init__(self, tasks: Tasks, work: Callable[[list[Item]], Awaitable[Sequence[Outcome]]]) -> None:
        self._tasks = tasks
        self._work = work
        self._waiting: deque[tuple[Item, asyncio.Future[Outcome]]] = deque()
        self._runs = False

    async def add(self, item: Item) -> Outcome:
        """The outcome of this item. A batch that has begun continues if the caller is cancelled."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, outcome))
        if not self._runs:
            self._runs = True
            self._tasks.start(self._run())
        return await outcome

    async def _run(self) -> None:
        batch: list[tuple[Item, asyncio.Future[Outcome]]] = []
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                batch = [(item, outcome) for item, outcome in batch if not outcome.cancelled()]
                await self._work_on(batch)
        finally:  # also when the process ends before their turn
            self._runs = False
            for _, outcome in (*batch, *self._waiting):
                outcome.cancel()
            self._waiting.clear()

    async def _work_on(self, batch: list[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        try:
            made = await self._work([item for item, _ in batch])
        except Exception as error:  # (2)
            for _, outcome in batch:
                if not outcome.done():
                    outcome.set_exception(error)
        else:
            for (_, outcome), one in zip(batch, made, strict=True):
                if not outcome.done():
                    outcome.set_result(one)
