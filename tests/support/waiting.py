"""Wait until something is true, and cancel tasks and wait for their end."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

FIRST_POLL_SECONDS = 0.002  # between the first two polls
ASYNC_POLL_SECONDS = 0.01  # between the first two polls of an async predicate, which asks a server or a browser
MAX_POLL_SECONDS = 0.05  # between two polls; each pause is a quarter longer, because polls cost the browser time
WAIT_TIMEOUT_SECONDS = 40.0  # long, because the machine may be busy; a condition that is true at once costs no time
CANCEL_INTERVAL_SECONDS = 0.1  # until a task that has not ended is cancelled again


async def wait_until(
    predicate: Callable[[], Any | Awaitable[Any]], what_for: str, timeout: float = WAIT_TIMEOUT_SECONDS
) -> Any:
    """Return the first true result of `predicate`, which may be async; fail with `what_for` after `timeout` seconds."""
    deadline, pause = time.monotonic() + timeout, FIRST_POLL_SECONDS
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer, pause = await answer, max(pause, ASYNC_POLL_SECONDS)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"timeout after {timeout:g} s of waiting for {what_for}")
        await asyncio.sleep(pause)
        pause = min(1.25 * pause, MAX_POLL_SECONDS)


async def cancel_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until all have ended, and raise the error of one that failed.

    One cancellation may not be enough: before Python 3.12 `asyncio.wait_for` swallows a cancellation that comes
    together with its result.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_INTERVAL_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.result()
