"""What a test has left behind: tasks that nobody ended, processes that nobody stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

GRACE = 2.0  # seconds in which what is ending may end

# One a thread, for ever: sse_starlette looks from it whether uvicorn is ending. The other is anyio's, which is asking.
TOLERATED_TASKS = ("_shutdown_watcher", "TestRunner._call_in_runner_task")
TOLERATED_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


async def tasks_beside(known: set[asyncio.Task[Any]]) -> list[str]:
    """The tasks that are still pending after a while, but for `known` and the one that asks."""
    deadline = time.monotonic() + GRACE
    while pending := [_name(task) for task in asyncio.all_tasks() - known if not _tolerated(task)]:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.01)
    return pending


_lasting: set[psutil.Process] = set()


@contextmanager
def meant_to_last() -> Iterator[None]:
    """What is started inside is everyone's: the test that happened to ask first has not left it behind."""
    known = children()
    try:
        yield
    finally:
        _lasting.update(children() - known)


def children() -> set[psutil.Process]:
    """This process's own living children."""
    return {child for child in _children() if _is_ours(child)}


def children_beside(known: set[psutil.Process]) -> list[str]:
    """The children that are still there after a while, but for `known` and what may last."""
    deadline = time.monotonic() + GRACE
    while left := children() - known - _lasting:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return [str(child) for child in left]


def _children() -> Iterator[psutil.Process]:
    """Linux lists them; psutil looks at every process of the machine, which takes 5 ms before and after each test."""
    try:
        tasks = list(Path("/proc/self/task").iterdir())
        pids = [pid for task in tasks if task.exists() for pid in (task / "children").read_text().split()]
    except OSError:
        yield from psutil.Process().children()
        return
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            yield psutil.Process(int(pid))


def _is_ours(child: psutil.Process) -> bool:
    try:
        words = " ".join(child.cmdline())
        return child.status() != psutil.STATUS_ZOMBIE and not any(name in words for name in TOLERATED_PROCESSES)
    except psutil.NoSuchProcess:
        return False


def _tolerated(task: asyncio.Task[Any]) -> bool:
    return task is asyncio.current_task() or _name(task) in TOLERATED_TASKS


def _name(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", repr(task))
