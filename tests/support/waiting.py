"""Waiting for what will happen, instead of sleeping and hoping; and for what is told to end."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

FIRST_POLL_SECONDS = 0.002  # seconds between the first two looks
ASYNC_POLL_SECONDS = 0.01  # the same, if a look asks somebody else
MAX_POLL_SECONDS = 0.05  # seconds between two looks, each time a quarter longer: looks cost the browser time, too
WAIT_TIMEOUT_SECONDS = 40.0  # seconds, on a machine that is busy with others; what comes at once is not waited for
CANCEL_INTERVAL_SECONDS = 0.1  # seconds until a task that goes on is cancelled once more


async def wait_until(
    predicate: Callable[[], Any | Awaitable[Any]], what_for: str, timeout: float = WAIT_TIMEOUT_SECONDS
) -> Any:
    """The first true answer of `predicate`, which may be async; fails with `what_for` after `timeout` seconds."""
    deadline, pause = time.monotonic() + timeout, FIRST_POLL_SECONDS
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer, pause = await answer, max(pause, ASYNC_POLL_SECONDS)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what_for}")
        await asyncio.sleep(pause)
        pause = min(1.25 * pause, MAX_POLL_SECONDS)


async def cancel_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel these until they have ended; raises what one of them failed with.

    To say it once may not do: before Python 3.12 `asyncio.wait_for`, in whatever library a task stands in, swallows a
    cancellation that meets its result.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_INTERVAL_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.result()
