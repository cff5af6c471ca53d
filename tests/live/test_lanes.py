"""Lanes: items that arrive while a batch runs are worked on together, in their order."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app import logs
from app.live import lanes
from app.live.lanes import Lane
from app.live.tasks import Tasks


class Work:
    """Doubles numbers. It waits in each batch until `may_go`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go = asyncio.Event()

    async def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        await self.may_go.wait()
        if 13 in items:
            raise ArithmeticError
        return [2 * item for item in items]


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks() as tasks:
        yield tasks


async def begin(lane: Lane[int, int], *items: int) -> list[asyncio.Task[int]]:
    """The tasks of people who wait for these items."""
    waiting = [asyncio.create_task(lane.add(item)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return waiting


async def test_items_that_arrive_while_a_batch_runs_are_the_next_batch(tasks: Tasks) -> None:
    lane = Lane(tasks, work := Work())
    first = await begin(lane, 1)
    others = await begin(lane, 2, 3, 4)
    assert work.batches == [[1]], "the first one waits for nobody"
    work.may_go.set()
    assert await asyncio.gather(*first, *others) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]


async def test_a_batch_has_a_bounded_size(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MAX_BATCH", 2)
    lane = Lane(tasks, work := Work())
    work.may_go.set()
    assert await asyncio.gather(*await begin(lane, 1, 2, 3, 4, 5)) == [2, 4, 6, 8, 10]
    assert work.batches == [[1, 2], [3, 4], [5]]


async def test_all_items_of_a_batch_that_fails_get_the_error_and_the_next_batch_runs(tasks: Tasks) -> None:
    lane = Lane(tasks, work := Work())
    waiting = [*await begin(lane, 1), *await begin(lane, 12, 13)]
    work.may_go.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["int", "ArithmeticError", "ArithmeticError"]
    assert await asyncio.gather(*await begin(lane, 4)) == [8]


class UnavailableError(Exception):
    """It takes more arguments than its message."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def test_each_item_of_a_batch_that_fails_gets_an_error_of_its_own(tasks: Tasks) -> None:
    async def work(items: list[int]) -> list[int]:
        try:
            raise OSError("lost")
        except OSError as cause:
            raise UnavailableError("unavailable", 503) from cause

    errors: list[Any] = await asyncio.gather(*await begin(Lane(tasks, work), 1, 2, 3), return_exceptions=True)
    assert [(type(error), error.code, error.args[0]) for error in errors] == [
        (UnavailableError, 503, "unavailable")
    ] * 3
    assert len({id(error) for error in errors}) == 3
    assert {str(error.__cause__) for error in errors} == {"lost"}
    assert all("raise UnavailableError" in "".join(traceback.format_exception(error)) for error in errors)


async def test_an_item_whose_caller_was_cancelled_in_time_is_left_out(tasks: Tasks) -> None:
    lane = Lane(tasks, work := Work())
    first, (gone, stays) = await begin(lane, 1), await begin(lane, 2, 3)
    gone.cancel()
    first[0].cancel()  # too late: its batch runs
    await asyncio.wait([gone, *first])
    work.may_go.set()
    assert await stays == 6
    assert work.batches == [[1], [3]]


async def test_an_item_that_waits_too_long_for_its_turn_gets_a_timeout_while_the_batch_before_runs(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane(tasks, work := Work())
    first = await begin(lane, 1)
    monkeypatch.setattr(lanes, "MAX_WAIT_SECONDS", 0)
    late = await begin(lane, 2)
    with pytest.raises(TimeoutError):
        await late[0]
    monkeypatch.undo()
    work.may_go.set()
    assert await first[0] == 2
    assert await asyncio.gather(*await begin(lane, 3)) == [6]
    assert work.batches == [[1], [3]]


async def test_the_work_on_a_batch_belongs_to_no_single_request(tasks: Tasks) -> None:
    known: list[str] = []

    async def work(items: list[int]) -> list[int]:
        known.append(logs.known("request"))
        return items

    logs.begin("alice's")
    assert await Lane(tasks, work).add(1) == 1
    assert known == [""]


async def test_nobody_waits_for_a_lane_that_was_cancelled(tasks: Tasks) -> None:
    lane = Lane(tasks, Work())
    waiting = [*await begin(lane, 1), *await begin(lane, 2)]
    await tasks.cancel()
    assert all(
        isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*waiting, return_exceptions=True)
    )
