"""Reconnect storm: everybody comes back at once, each 1,000 changes behind. What the database is asked, and who waits.

1. Reads go with the topics, and not with the sessions: the same topics are taken by ten and by a hundred times as
   many, and the reads told beside each other.
2. Meanwhile somebody at another topic is sent what is written there, ten times a second. How long that takes is told
   for the time before the storm and for the storm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from app.database import Database
from app.live.cursors import write_cursor
from app.live.read.reader import CHUNK_ROWS
from app.live.topics import Topic
from app.live.write.sequences import read_heads
from bench import servers
from bench.crowds import Crowd, crowd
from bench.filling import fill
from bench.measure import cpu, memory, percentile
from bench.servers import Server
from tests.support.waiting import end

SIZES = (100, 1_000, 10_000)
TOPICS = 100
BEHIND = 1_000
ELSEWHERE = 1_000_000
CALM = 5.0  # seconds of control before the storm
EVERY = 0.1  # seconds
HANDSHAKES = 2_000
LONGEST = 400.0  # seconds


async def run(sizes: Sequence[int] = SIZES, say: Any = print, topics: int = TOPICS) -> dict[str, Any]:
    found = []
    for kind in servers.DATABASES:
        async with servers.data(kind) as url:
            await fill(url, [Topic("Article", str(number)) for number in range(topics)], BEHIND)
            for sessions in sizes:
                found.append({"database": kind, **await storm(url, sessions, topics)})
                say(f"storm: {found[-1]}")
    return {"topics": topics, "behind": BEHIND, "rows_a_chunk": CHUNK_ROWS, "sizes": found}


async def storm(url: str, sessions: int, topics: int) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(servers.parley(url, app="bench.counted:app"))
        many = await stack.enter_async_context(crowd())
        control = await stack.enter_async_context(controlled(server, await stack.enter_async_context(crowd())))
        await asyncio.sleep(CALM)
        cursors = [await at(url, Topic("Article", str(number)), 0) for number in range(topics)]
        paths = [f"{server.path.format(topic=number)}&cursor={cursor}" for number, cursor in enumerate(cursors)]
        before, pids = await counts(server), server.pids()
        held, used, began = memory(pids), cpu(pids), time.monotonic()
        opened = await many.open_at(server, sessions, paths, handshakes=HANDSHAKES)
        await many.watch(sessions * BEHIND - opened["frames"], LONGEST)
        seen = await many.seen()
        ended = time.monotonic()
        after, told = await counts(server), await many.ask(do="fewest")
        return {
            "sessions": sessions,
            "opened_s": opened["seconds"],
            "level_s": ended - began,
            "fewest_frames": told["fewest"],
            "most_frames": told["most"],
            "reads": after["reads"] - before["reads"],
            "statements": after["statements"] - before["statements"],
            "cpu_us_a_frame": (cpu(pids) - used) / (sessions * BEHIND) * 1e6,
            "client_cpu_s": seen["cpu"],
            "memory_kib": (memory(pids) - held) / sessions / 1024,
            "calm": _waits(control, began - CALM, began),
            "storm": _waits(control, began, ended),
        }


async def at(url: str, topic: Topic, seq: int) -> str:
    """The cursor of who has seen a topic up to there."""
    database = Database(url)
    async with database.reading() as reading:
        epoch, _ = await read_heads(reading, [])
    await database.close()
    return write_cursor(epoch, {topic: seq})


async def counts(server: Server) -> dict[str, int]:
    """What the readers and the database of `bench.counted` have been asked so far."""
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        found: dict[str, int] = (await client.get(f"http://127.0.0.1:{server.port}/bench/counts")).json()
    return found


@asynccontextmanager
async def controlled(server: Server, watcher: Crowd) -> AsyncIterator[list[tuple[float, float]]]:
    """Somebody who looks elsewhere, where something is written all the time; (when, how long it took) of each."""
    await watcher.open_at(server, 1, [server.path.format(topic=ELSEWHERE)])
    waits: list[tuple[float, float]] = []

    async def keep_writing() -> None:
        while True:
            await watcher.watch(1, LONGEST)
            began = time.monotonic()
            await server.publish(ELSEWHERE)
            waits.append((began, (await watcher.seen())["times"][-1] - began))
            await asyncio.sleep(EVERY)

    task = asyncio.create_task(keep_writing())
    try:
        yield waits
    finally:
        await end(task)


def _waits(all: Sequence[tuple[float, float]], began: float, ended: float) -> dict[str, float]:
    """Of what was written in this time."""
    waits = [took * 1e3 for at, took in all if began <= at < ended]
    return {
        "written": len(waits),
        "p50_ms": percentile(waits, 50),
        "p99_ms": percentile(waits, 99),
        "worst_ms": max(waits),
    }
