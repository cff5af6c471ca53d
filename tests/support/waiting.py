"""Waiting for what will happen, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

LOOKING = 0.01  # seconds between two looks


async def wait_until(predicate: Callable[[], Any | Awaitable[Any]], what_for: str, timeout: float = 5) -> Any:
    """The first true answer of `predicate`, which may be async; fails with `what_for` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what_for}")
        await asyncio.sleep(LOOKING)
