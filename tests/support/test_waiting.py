"""What tests end has ended, and does not hide how."""

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

    going = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    await cancel_tasks(going)
    assert going.cancelled()


async def test_what_went_wrong_in_it_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("a mistake")

    failing, going = asyncio.create_task(fail()), asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="a mistake"):
        await cancel_tasks(going, failing)
    assert going.cancelled()
