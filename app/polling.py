"""Polling: a task does the due work of a queue in the database, for ever."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from app.database import log_error


async def poll_for_work(
    do_next: Callable[[], Awaitable[bool]],
    log: logging.Logger,
    work: str,
    seconds: float,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call `do_next` again and again: at once if it did something, else after `pause`. An error is logged as one of
    `work`, and then the task pauses, too. A pause has a jitter of 20%, because all processes poll the same queue."""
    while True:
        try:
            if await do_next():
                continue
        except Exception as error:
            log_error(log, error, work)
        await pause(seconds * random.uniform(0.8, 1.2))
