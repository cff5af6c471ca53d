"""Lanes: items that arrive while a lane works on others wait, and are then worked on together.

1. No item waits for more items to come. A batch has the items that arrived during the previous one, at most
   `MAX_BATCH`.
2. If the work on a batch raises, every item of the batch raises that, each with an exception object of its own: a
   caller that raises it adds its own frames to the traceback.
3. If the work is slow, for example because the database does not answer, an item waits for its turn for a bounded time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from app.live.tasks import Tasks

MAX_WAIT_SECONDS = 10  # for the turn of an item, as for a connection of the pool; then it raises TimeoutError (3)
MAX_BATCH = 64  # items; a batch of writes holds the counters of all its topics until the commit

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Outcome]):
    item: Item
    outcome: asyncio.Future[Outcome]
    until: float  # in the event loop's clock


class Lane(Generic[Item, Outcome]):
    """`work` returns the outcome of each item of a batch. It runs in a task of `tasks`, and never twice at once."""

    def __init__(self, tasks: Tasks, work: Callable[[list[Item]], Awaitable[Sequence[Outcome]]]) -> None:
        self._tasks = tasks
        self._work = work
        self._waiting: deque[_Waiting[Item, Outcome]] = deque()
        self._timer: asyncio.TimerHandle | None = None  # one for all items
        self._runs = False

    async def add(self, item: Item) -> Outcome:
        """The outcome of this item. A batch that has begun continues if the caller is cancelled."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append(_Waiting(item, outcome, loop.time() + MAX_WAIT_SECONDS))
        if self._timer is None:
            self._refuse_overdue(loop)
        if not self._runs:
            self._runs = True
            Context().run(self._tasks.start, self._run())  # it works for many requests, so it belongs to none of them
        return await outcome

    async def _run(self) -> None:
        batch: list[_Waiting[Item, Outcome]] = []
        try:
            while self._waiting:
                if batch := self._next_batch():
                    await self._work_on(batch)
        finally:  # also when the process ends before their turn
            self._runs = False
            for each in (*batch, *self._waiting):
                each.outcome.cancel()
            self._waiting.clear()

    def _next_batch(self) -> list[_Waiting[Item, Outcome]]:
        batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
        return [each for each in batch if not each.outcome.done()]

    def _refuse_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse the items that have waited too long (3), and look again when the next one will have."""
        while self._waiting and self._waiting[0].until <= loop.time():
            outcome = self._waiting.popleft().outcome
            if not outcome.done():
                outcome.set_exception(TimeoutError("too many requests are waiting for the database"))
        self._timer = loop.call_at(self._waiting[0].until, self._refuse_overdue, loop) if self._waiting else None

    async def _work_on(self, batch: list[_Waiting[Item, Outcome]]) -> None:
        try:
            made = await self._work([each.item for each in batch])
        except Exception as error:  # (2)
            for each in batch:
                if not each.outcome.done():
                    each.outcome.set_exception(_copy_of(error))
        else:
            for each, outcome in zip(batch, made, strict=True):
                if not each.outcome.done():
                    each.outcome.set_result(outcome)


class Lanes:
    """One lane for each function. `work` gets the function, and the items of a batch that were added for it."""

    def __init__(self, tasks: Tasks, work: Callable[[Any, list[Any]], Awaitable[Sequence[Any]]]) -> None:
        self._tasks = tasks
        self._work = work
        self._lanes: dict[Hashable, Lane[Any, Any]] = {}

    async def add(self, function: Hashable, item: Any) -> Any:
        """See `Lane.add`."""
        if function not in self._lanes:
            self._lanes[function] = Lane(self._tasks, partial(self._work, function))
        return await self._lanes[function].add(item)


def _copy_of(error: Exception) -> Exception:
    own = type(error).__new__(type(error), *error.args)  # the arguments of its `__init__` are not known
    own.__dict__.update(vars(error))
    own.__cause__, own.__suppress_context__ = error.__cause__, error.__suppress_context__
    return own.with_traceback(error.__traceback__)
