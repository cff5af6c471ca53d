"""Reconnect storm: all clients reconnect at once, each 1,000 changes behind. Measures database reads and latencies.

1. Reads grow with the topics, and not with the sessions. To show that, the same topics are followed by ten times and
   by a hundred times as many sessions.
2. With `--before`, an older checkout is measured in turn with this one, with a database of its own.
3. Another client, the control, follows another topic, to which a comment is written ten times a second. Its latency is
   reported for the time before the storm and for the storm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from app.database import Database
from app.live.cursors import write_cursor
from app.live.read.reader import CHUNK_ROWS
from app.live.topics import Topic
from app.live.write.sequences import read_heads
from bench import servers
from bench.crowds import Crowd, crowd
from bench.filling import fill_with
from bench.measure import cpu, memory, percentile
from bench.servers import Server
from tests.support.waiting import cancel_tasks

SIZES = (100, 1_000, 10_000)
TOPICS = 100
BEHIND = 1_000
CONTROL_TOPIC = 1_000_000
CALM_SECONDS = 5.0  # of control before the storm
WRITE_INTERVAL_SECONDS = 0.1
HANDSHAKES = 2_000
STORM_TIMEOUT_SECONDS = 400.0


async def run(
    sizes: Sequence[int] = SIZES, before: Path | None = None, log: Any = print, topics: int = TOPICS
) -> dict[str, Any]:
    found, checkouts = [], servers.checkouts(before)
    for kind in servers.DATABASES:
        async with AsyncExitStack() as stack:
            urls = {}
            for name, place in checkouts.items():
                urls[name] = await stack.enter_async_context(servers.data(kind, place))
                await fill_with(place, urls[name], topics, BEHIND)
            for sessions in sizes:
                for name, place in checkouts.items():
                    measured = await storm(urls[name], sessions, topics, place)
                    found.append({"database": kind, "checkout": name, **measured})
                    log(f"storm: {found[-1]}")
    return {"topics": topics, "behind": BEHIND, "rows_a_chunk": CHUNK_ROWS, "sizes": found}


async def storm(url: str, sessions: int, topics: int, checkout: Path) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(servers.parley(url, app="bench.counted:app", checkout=checkout))
        many = await stack.enter_async_context(crowd())
        control = await stack.enter_async_context(controlled(server, await stack.enter_async_context(crowd())))
        await asyncio.sleep(CALM_SECONDS)
        cursors = [await cursor_at(url, Topic("Article", str(number)), 0) for number in range(topics)]
        paths = [f"{server.path.format(topic=number)}&cursor={cursor}" for number, cursor in enumerate(cursors)]
        before, pids = await counts(server), server.pids()
        held, used, began = memory(pids), cpu(pids), time.monotonic()
        opened = await many.open_at(server, sessions, paths, handshakes=HANDSHAKES)
        await many.watch(sessions * BEHIND - opened["frames"], STORM_TIMEOUT_SECONDS)
        seen = await many.seen()
        ended = time.monotonic()
        after, extremes = await counts(server), await many.command(do="extremes")
        return {
            "sessions": sessions,
            "opened_s": opened["seconds"],
            "level_s": ended - began,
            "fewest_frames": extremes["fewest"],
            "most_frames": extremes["most"],
            "reads": after["reads"] - before["reads"],
            "statements": after["statements"] - before["statements"],
            "cpu_us_a_frame": (cpu(pids) - used) / (sessions * BEHIND) * 1e6,
            "client_cpu_s": seen["cpu"],
            "memory_kib": (memory(pids) - held) / sessions / 1024,
            "calm": _waits(control, began - CALM_SECONDS, began),
            "storm": _waits(control, began, ended),
        }


async def cursor_at(url: str, topic: Topic, seq: int) -> str:
    """The cursor of a client that has the topic's changes up to `seq`."""
    database = Database(url)
    async with database.reading() as reading:
        epoch, _ = await read_heads(reading, [])
    await database.close()
    return write_cursor(epoch, {topic: seq})


async def counts(server: Server) -> dict[str, int]:
    """The counts of `bench.counted`: reads and statements so far."""
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        found: dict[str, int] = (await client.get(f"http://127.0.0.1:{server.port}/bench/counts")).json()
    return found


@asynccontextmanager
async def controlled(server: Server, watcher: Crowd) -> AsyncIterator[list[tuple[float, float]]]:
    """The control: writes to its topic in a loop. Yields the list of (time, latency in seconds) of its deliveries."""
    await watcher.open_at(server, 1, [server.path.format(topic=CONTROL_TOPIC)])
    waits: list[tuple[float, float]] = []

    async def keep_writing() -> None:
        while True:
            await watcher.watch(1, STORM_TIMEOUT_SECONDS)
            began = time.monotonic()
            await server.publish(CONTROL_TOPIC)
            waits.append((began, (await watcher.seen())["times"][-1] - began))
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)

    task = asyncio.create_task(keep_writing())
    try:
        yield waits
    finally:
        await cancel_tasks(task)


def _waits(all: Sequence[tuple[float, float]], began: float, ended: float) -> dict[str, float]:
    """Statistics of the writes in this time."""
    waits = [took * 1e3 for at, took in all if began <= at < ended]
    return {
        "written": len(waits),
        "p50_ms": percentile(waits, 50),
        "p99_ms": percentile(waits, 99),
        "worst_ms": max(waits),
    }
