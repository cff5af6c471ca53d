"""Tasks: background work with an owner. The owner gets its errors, and ends after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

T = TypeVar("T")

RECANCEL_SECONDS = 0.5  # until a cancelled task that still runs is cancelled once more

log = logging.getLogger(__name__)


class Tasks:
    """Tasks that the owner drains or cancels. As an async context manager, it cancels all of them after the block.

    asyncio itself keeps no strong reference to a running task, so this keeps one.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, seconds: float) -> None:
        """Wait for the running tasks, for at most this long; then cancel them."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel all tasks, repeatedly until they end, because a library may swallow a cancellation (redis-py does)."""
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running, timeout=RECANCEL_SECONDS)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # A caller that awaits the task gets the error, too. This log line is for tasks that no caller awaits.
            log.debug("a task failed", exc_info=error)
