"""Openings under attack: one address opens streams of invented topics while an honest reader opens other streams.

1. The attacker opens ten streams a second, each of a hundred topics that do not exist. It either closes each one at
   once, or holds all of them open until the end.
2. The honest reader has another address, and opens a stream of one topic four times a second. The time from the
   request to the first event is measured before and during the attack.
3. Rate limits are on, and the attack stays within them. Addresses come from `X-Forwarded-For`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from bench import servers
from bench.measure import memory, percentile
from bench.servers import Server
from bench.storm import counts
from tests.support.waiting import cancel_tasks

OPENINGS_A_SECOND = 10
TOPICS = 100
HONEST_INTERVAL_SECONDS = 0.25
CALM_SECONDS = 5.0  # before the attack
ATTACK_SECONDS = 20.0
OPENING_TIMEOUT_SECONDS = 60.0
ATTACKER, HONEST = "198.51.100.7", "192.0.2.1"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def run(log: Any = print, seconds: float = ATTACK_SECONDS) -> dict[str, Any]:
    found = []
    for kind in servers.DATABASES:
        for held in (False, True):
            async with (
                servers.data(kind) as url,
                servers.parley(url, app="bench.counted:app", environment={"RATE_LIMITS": "on"}) as server,
            ):
                found.append({"database": kind, "held": held, **await attack(server, held, seconds)})
                log(f"openings: {found[-1]}")
    return {"openings_a_second": OPENINGS_A_SECOND, "topics": TOPICS, "ways": found}


async def attack(server: Server, held: bool, seconds: float) -> dict[str, Any]:
    calm = await _honest(server, CALM_SECONDS)
    before, memory_before = await counts(server), memory(server.pids())
    async with _attacking(server, held) as opened:
        beside = await _honest(server, seconds)
        await asyncio.sleep(1)
        after, used = await counts(server), memory(server.pids()) - memory_before
        attacked = len(opened)
    return {
        "opened": attacked,
        "statements_an_opening": (after["statements"] - before["statements"]) / max(1, attacked),
        "kib_an_opening": used / 1024 / max(1, attacked),
        "calm": _waits(calm),
        "attack": _waits(beside),
    }


def _waits(waits: Sequence[float]) -> dict[str, float]:
    return {
        "openings": len(waits),
        "p50_ms": percentile(waits, 50) * 1e3,
        "p99_ms": percentile(waits, 99) * 1e3,
        "worst_ms": max(waits) * 1e3,
    }


async def _honest(server: Server, seconds: float) -> list[float]:
    """The seconds from each opening to its first event. They start at fixed intervals, even if others still wait."""

    async def once() -> float:
        began = time.monotonic()
        try:
            async with asyncio.timeout(OPENING_TIMEOUT_SECONDS):
                reader, writer = await _open(server, HONEST, ["Article/1"])
                await reader.readuntil(b"event: heartbeat")
        except TimeoutError:
            return OPENING_TIMEOUT_SECONDS
        writer.close()
        return time.monotonic() - began

    opening = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        opening.append(asyncio.create_task(once()))
        await asyncio.sleep(HONEST_INTERVAL_SECONDS)
    return await asyncio.gather(*opening)


@asynccontextmanager
async def _attacking(server: Server, held: bool) -> AsyncIterator[list[Streams]]:
    opened: list[Streams] = []

    async def keep_opening() -> None:
        for number in count():
            topics = [f"Article/invented-{number}-{topic}" for topic in range(TOPICS)]
            opened.append(await _open(server, ATTACKER, topics))
            await asyncio.sleep(1 / OPENINGS_A_SECOND)
            if not held:
                opened[-1][1].close()

    task = asyncio.create_task(keep_opening())
    try:
        yield opened
    finally:
        await cancel_tasks(task)
        for _, writer in opened:
            writer.close()


async def _open(server: Server, address: str, topics: Sequence[str]) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    query = "&".join(f"topic={topic}" for topic in topics)
    writer.write(
        f"GET /streams?{query} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Forwarded-For: {address}\r\n\r\n".encode()
    )
    return reader, writer
