"""A page of comments that are slow to render, read after a restart.

1. A person posts twenty comments of 10,000 characters, each of a kind that is slow in some Markdown parsers.
2. The server restarts, so that its caches are empty.
3. A guest reads the comments and the page several times. At the same time, `/healthz` is requested every two
   milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from bench import servers
from bench.measure import median, percentile
from tests.support.people import sign_up, write
from tests.support.waiting import cancel_tasks

TEXTS = ("//a:" * 2_500, "://" * 3_333, "<http://-[" * 1_000, "![[](" * 2_000, "__a_" * 2_500)
COMMENTS = 20
READS = 5
PATHS = {"api": f"/api/comments/?commentable_type=Article&commentable_id=1&limit={COMMENTS}", "page": "/Article/1"}


async def run(log: Any = print) -> dict[str, Any]:
    found = []
    for kind in servers.DATABASES:
        async with servers.data(kind) as url:
            async with _client(url) as author:
                await sign_up(author, "Alice", email="alice@example.com")
                for number in range(COMMENTS):
                    await write(author, TEXTS[number % len(TEXTS)])
            async with _client(url) as guest:
                found.append({"database": kind, **await _read(guest)})
        log(f"slow-texts: {found[-1]}")
    return {"comments": COMMENTS, "reads": READS, "databases": found}


@asynccontextmanager
async def _client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that has just started."""
    async with servers.parley(database_url) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=url, headers={"Origin": url}, timeout=60) as client:
            yield client


async def _read(guest: httpx.AsyncClient) -> dict[str, Any]:
    waits: list[float] = []

    async def keep_requesting() -> None:
        while True:
            began = time.perf_counter()
            (await guest.get("/healthz")).raise_for_status()
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.002)

    task = asyncio.create_task(keep_requesting())
    times: dict[str, list[float]] = {name: [] for name in PATHS}
    for _ in range(READS):
        for name, path in PATHS.items():
            began = time.perf_counter()
            (await guest.get(path)).raise_for_status()
            times[name].append(time.perf_counter() - began)
    await cancel_tasks(task)
    return {
        "paths": {name: {"first_ms": of[0] * 1e3, "then_ms": median(of[1:]) * 1e3} for name, of in times.items()},
        "healthz": {"p50_ms": percentile(waits, 50) * 1e3, "worst_ms": max(waits) * 1e3},
    }
