"""Lanes: items that arrive while a batch runs are worked on together, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

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


async def test_an_item_whose_caller_was_cancelled_in_time_is_left_out(tasks: Tasks) -> None:
    lane = Lane(tasks, work := Work())
    first, (gone, stays) = await begin(lane, 1), await begin(lane, 2, 3)
    gone.cancel()
    first[0].cancel()  # too late: its batch runs
    await asyncio.wait([gone, *first])
    work.may_go.set()
    assert await stays == 6
    assert work.batches == [[1], [3]]


async def test_an_item_whose_turn_comes_too_late_gets_a_timeout(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane(tasks, work := Work())
    first, late = await begin(lane, 1), await begin(lane, 2)
    monkeypatch.setattr(lanes, "MAX_WAIT_SECONDS", -1)
    work.may_go.set()
    assert await first[0] == 2
    with pytest.raises(TimeoutError):
        await late[0]
    monkeypatch.undo()
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
