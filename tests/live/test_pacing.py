from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter

from app.live.pacing import TURNS_PER_PAUSE, Pacing
from tests.support.waiting import cancel_tasks

MANY_TASKS = 5 * TURNS_PER_PAUSE


async def test_each_task_gets_one_turn_at_most_in_a_loop_iteration_and_none_is_forgotten() -> None:
    pacing, rounds, round = Pacing(), Counter[int](), 0

    async def wait() -> None:
        await pacing.wait_turn()
        rounds[round] += 1

    waiting = [asyncio.create_task(wait()) for _ in range(MANY_TASKS)]
    waiting[TURNS_PER_PAUSE].cancel()
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0)
        round += 1
    assert rounds.total() == MANY_TASKS - 1
    assert max(rounds.values()) == 1


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
