from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from itertools import pairwise

import pytest

from app.live.pacing import WORK_SECONDS, Pacing
from tests.live.convergence.simulation import Loop
from tests.support.waiting import cancel_tasks

MANY_TASKS = 50


async def test_each_task_gets_one_turn_at_most_in_a_loop_iteration_and_none_is_forgotten() -> None:
    pacing, rounds, round = Pacing(), Counter[int](), 0

    async def wait() -> None:
        await pacing.wait_turn()
        rounds[round] += 1

    waiting = [asyncio.create_task(wait()) for _ in range(MANY_TASKS)]
    waiting[10].cancel()
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0)
        round += 1
    assert rounds.total() == MANY_TASKS - 1
    assert max(rounds.values()) == 1


@pytest.mark.parametrize("turns", [5, 20])
def test_turns_pause_after_a_few_milliseconds_however_long_each_one_takes(turns: int) -> None:
    """`turns`: how many of them take the time between two pauses."""
    loop, began, turn_seconds = Loop(), list[float](), WORK_SECONDS / turns

    async def work(pacing: Pacing) -> None:
        await pacing.wait_turn()
        began.append(loop.time())
        loop._now += turn_seconds

    async def work_together() -> None:
        pacing = Pacing()
        await asyncio.gather(*(work(pacing) for _ in range(6 * turns)))

    loop.run(work_together())
    pauses = [number for number in range(1, 6 * turns) if began[number] - began[number - 1] > turn_seconds * 1.1]
    between = {later - earlier for earlier, later in pairwise(pauses)}
    assert between
    assert between <= {turns, turns + 1, turns + 2}


async def test_threads_get_the_gil_while_many_tasks_take_turns() -> None:
    pacing = Pacing()

    async def keep_busy() -> None:
        while True:
            await pacing.wait_turn()
            until = time.perf_counter() + 0.0003
            while time.perf_counter() < until:
                pass

    def query() -> None:
        """Query as a driver does, which releases the GIL for each row."""
        database = sqlite3.connect(":memory:")
        rows = database.execute(
            "WITH RECURSIVE n(x) AS (VALUES(1) UNION SELECT x + 1 FROM n LIMIT 100) SELECT x FROM n"
        )
        assert len(rows.fetchall()) == 100
        database.close()

    busy = [asyncio.create_task(keep_busy()) for _ in range(MANY_TASKS)]
    try:
        async with asyncio.timeout(20):
            for _ in range(20):
                await asyncio.to_thread(query)
    finally:
        await cancel_tasks(*busy)
