"""Fan-out: the cost and the latency of delivering one comment to all its viewers.

Contestants: Parley with guests, and with signed-in people; an older checkout with guests (`--before`); a literal
reading of its architecture; the floor, a bare loop under the same uvicorn that writes the same bytes; and nchan, in C.
All hold their streams at the same time, and are measured in turn. All clients send a browser's headers.

1. The CPU time of a delivery is that of all processes of a server, over several broadcasts. A broadcast also includes a
   write, whose cost does not depend on the viewers. So each round first measures writes to a topic without viewers and
   subtracts them. `cpu_with_write_us` includes the write.
2. Latency is the time from before the POST is sent until the client process has read the frame.
3. Memory is that of the server's processes (PSS) with idle streams, minus the memory before, divided by the number of
   streams. It excludes the kernel's buffers, which are the same for all servers.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import servers
from bench.crowds import Crowd, crowd
from bench.measure import cpu, median, memory, percentile
from bench.servers import Server

SIZES = (100, 200, 1_000, 10_000)
MAX_LITERAL_SESSIONS = 1_000  # beyond, its Redis alone takes seconds
TOPICS = 1_000
UNWATCHED = 1_000_000  # the first of the topics without streams; as many as those with streams
WRITES = 200  # to these, in each round
DELIVERIES = 40_000  # in each round, within the limits of BROADCASTS
BROADCASTS = (3, 40)  # at least and at most, in each round
SLOW = {"literal": 20}  # a slow server has so many times fewer writes and deliveries
SIGNED_IN = "signed in"  # the name of Parley with signed-in people
ACCOUNTS = 20  # of the signed-in people
SETTLE_SECONDS = 1.0  # before memory is measured


@dataclass
class Entry:
    """A contestant and its crowd."""

    server: Server
    crowd: Crowd
    cookies: list[str]  # of the sessions in turn; none if they are guests

    async def idle_memory(self) -> int:
        await asyncio.sleep(SETTLE_SECONDS)
        return memory(self.server.pids())


async def run(
    rounds: int, sizes: Sequence[int] = SIZES, before: Path | None = None, log: Any = print
) -> dict[str, Any]:
    """Each size on one topic and, from 1,000 sessions on, over 1,000 topics."""
    block = await sample_block()
    results = []
    for sessions in sizes:
        for topics in (1, TOPICS) if sessions >= TOPICS else (1,):
            began = time.monotonic()
            results.append(await compare(block, sessions, topics, rounds, before))
            log(f"fan-out: {sessions} sessions, {topics} topics, {time.monotonic() - began:.0f} s")
            for name, figures in results[-1]["contestants"].items():
                log(f"  {name:8} " + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    return {"nchan": servers.nchan_module() is not None, "block": len(block), "rounds": rounds, "sizes": results}


async def sample_block() -> str:
    """The bytes that Parley sends for a comment."""
    async with servers.parley() as server, crowd() as watchers:
        await watchers.open(server, 1)
        await watchers.watch(1)
        await server.publish(0)
        sample: str = (await watchers.seen())["sample"]
    return sample[sample.index("id: ") :].replace("\r\n", "\n").split("\n\n")[0] + "\n\n"


async def compare(block: str, sessions: int, topics: int, rounds: int, older: Path | None) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        entries = [await _enter(stack, make) for make in contestants(block, sessions, topics, older)]
        idle = [await _open(entry, sessions, topics, place) for place, entry in enumerate(entries)]
        measured: dict[str, list[dict[str, float]]] = defaultdict(list)
        for _ in range(rounds):
            for entry in entries:
                measured[entry.server.name].append(await _round(entry, sessions, topics))
    medians = {name: {key: median(one[key] for one in all) for key in all[0]} for name, all in measured.items()}
    for entry, bytes in zip(entries, idle, strict=True):
        medians[entry.server.name]["memory_kib"] = bytes / sessions / 1024
    return {"sessions": sessions, "topics": topics, "contestants": medians, "rounds": measured}


def contestants(block: str, sessions: int, topics: int, older: Path | None) -> list[Any]:
    return [
        *([servers.parley(checkout=older, name="before")] if older else []),
        servers.parley(),
        servers.parley(name=SIGNED_IN),
        servers.floor(block),
        *([servers.nchan(block)] if servers.nchan_module() else []),
        *([servers.literal()] if sessions <= MAX_LITERAL_SESSIONS and topics == 1 else []),
    ]


async def _enter(stack: AsyncExitStack, make: Any) -> Entry:
    server = await stack.enter_async_context(make)
    people = range(ACCOUNTS if server.name == SIGNED_IN else 0)
    accounts = await asyncio.gather(*(servers.sign_up(server.port, f"Reader{number}") for number in people))
    return Entry(server, await stack.enter_async_context(crowd()), [account.cookies for account in accounts])


async def _open(entry: Entry, sessions: int, topics: int, place: int) -> int:
    """Open the streams, and return the memory that they take. A few earlier streams make the server load its code."""
    async with crowd() as early:
        await early.open_at(entry.server, 5, [entry.server.path.format(topic=UNWATCHED)])
        await early.watch(5)
        await entry.server.publish(UNWATCHED)
        await early.seen()
    before = await entry.idle_memory()
    await entry.crowd.open(entry.server, sessions, topics, address=20 * place, cookies=entry.cookies)
    return await entry.idle_memory() - before


def posts_in_a_round(sessions: int, topics: int, slow: int) -> int:
    broadcasts = min(max(DELIVERIES // slow // sessions, BROADCASTS[0]), BROADCASTS[1])
    return broadcasts if topics == 1 else WRITES // slow


async def _round(entry: Entry, sessions: int, topics: int) -> dict[str, float]:
    slow = SLOW.get(entry.server.name, 1)
    posts, each = posts_in_a_round(sessions, topics, slow), sessions // topics
    pids = entry.server.pids()
    used = cpu(pids)
    for number in range(WRITES // slow):
        await entry.crowd.watch(0)  # so that these writes have the same pauses as the others
        await entry.server.publish(UNWATCHED + number % topics)
        await entry.crowd.seen()
    write = (cpu(pids) - used) / (WRITES // slow)
    firsts, lasts, everyone, client, received = [], [], [], 0.0, 0
    began, used = time.monotonic(), cpu(pids)
    for number in range(posts):
        await entry.crowd.watch(each)
        posted = time.monotonic()
        await entry.server.publish(number % topics)
        seen = await entry.crowd.seen()
        assert seen["frames"] == each, f"{entry.server.name}: {seen['frames']} of {each} frames"
        firsts.append(seen["times"][0] - posted)
        lasts.append(seen["times"][-1] - posted)
        everyone += [time - posted for time in seen["times"]]
        client += seen["cpu"]
        received += seen["bytes"]
    used, took = cpu(pids) - used, time.monotonic() - began
    deliveries = posts * each
    return {
        "cpu_us": (used - posts * write) / deliveries * 1e6,
        "cpu_with_write_us": used / deliveries * 1e6,
        "write_us": write * 1e6,
        "first_ms": median(firsts) * 1e3,
        "p50_ms": percentile(everyone, 50) * 1e3,
        "p99_ms": percentile(everyone, 99) * 1e3,
        "last_p50_ms": percentile(lasts, 50) * 1e3,
        "last_p99_ms": percentile(lasts, 99) * 1e3,
        "client_us": client / deliveries * 1e6,
        "client_share": client / took,
        "bytes": received / deliveries,
    }
