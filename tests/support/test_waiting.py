"""`cancel_tasks` waits until each task has ended, and raises its error."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.support.waiting import cancel_tasks


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    async def go_on() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    await cancel_tasks(waiting)
    assert waiting.cancelled()


async def test_the_error_of_a_task_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("a mistake")

    failing, waiting = asyncio.create_task(fail()), asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="a mistake"):
        await cancel_tasks(waiting, failing)
    assert waiting.cancelled()
