"""Leftovers of a test: tasks and processes that still run after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

END_TIMEOUT_SECONDS = 2.0  # for tasks and processes that are ending

# sse_starlette runs the first one in each thread, for ever, to notice that uvicorn ends. anyio's runs this check.
TOLERATED_TASKS = ("_shutdown_watcher", "TestRunner._call_in_runner_task")
# An app waits for its server's shutdown with a stream of the library (`app.http.sse_response`). It makes a new one when
# another server of this process has stopped, which may be during a test of a lasting site. Clients' streams differ.
SHUTDOWN_WAIT_TASKS = "sse_starlette.sse.EventSourceResponse.__call__"
TOLERATED_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


async def list_new_tasks(known: set[asyncio.Task[Any]]) -> list[str]:
    """Names of tasks that are still pending after `END_TIMEOUT_SECONDS`, without `known` and the current task."""
    deadline = time.monotonic() + END_TIMEOUT_SECONDS
    while pending := [_name(task) for task in asyncio.all_tasks() - known if not _tolerated(task)]:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.01)
    return pending


_lasting: set[int] = set()


@contextmanager
def keep_running() -> Iterator[None]:
    """Processes that are started inside belong to all tests, so they are no leftovers of the test that started them."""
    known = list_children()
    try:
        yield
    finally:
        _lasting.update(list_children() - known)


def list_children() -> set[int]:
    """The process ids of this process's children.

    Linux lists them. psutil reads every process of the machine, which takes 5 ms before and after each test.
    """
    try:
        tasks = list(Path("/proc/self/task").iterdir())
        return {int(pid) for task in tasks if task.exists() for pid in (task / "children").read_text().split()}
    except OSError:
        return {child.pid for child in psutil.Process().children()}


def list_new_children(known: set[int]) -> list[str]:
    """Children that still run after `END_TIMEOUT_SECONDS`, without `known` and those of `keep_running`."""
    deadline = time.monotonic() + END_TIMEOUT_SECONDS
    while left := [name for pid in list_children() - known - _lasting if (name := _name_of_ours(pid))]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return left


def _name_of_ours(pid: int) -> str | None:
    """None if the process has ended, or if a library keeps it for later use."""
    try:
        child = psutil.Process(pid)
        words = " ".join(child.cmdline())
        ours = child.status() != psutil.STATUS_ZOMBIE and not any(name in words for name in TOLERATED_PROCESSES)
    except psutil.NoSuchProcess:
        return None
    return str(child) if ours else None


def _tolerated(task: asyncio.Task[Any]) -> bool:
    is_shutdown_wait = task.get_name().startswith(SHUTDOWN_WAIT_TASKS)
    return task is asyncio.current_task() or is_shutdown_wait or _name(task) in TOLERATED_TASKS


def _name(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", repr(task))
