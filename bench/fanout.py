"""Fan-out: what it costs to bring one comment to everyone who looks, and how long that takes.

Contestants: Parley, a literal reading of its architecture, the floor (a bare loop that writes the same bytes, under the
same uvicorn) and nchan, in C. All hold their streams at the same time, and take turns.

1. CPU for a delivery is that of all a server's processes, over several broadcasts. A broadcast also costs a write,
   which has nothing to do with how many watch. So each round first writes where nobody looks, and that is taken off;
   `cpu_with_write_us` has it in.
2. Latency runs from before the POST is sent to the moment the client's process has read the frame.
3. Memory is what the server's processes hold (PSS) when the streams are idle, less what they held before, over the
   streams. Kernel's buffers are not in it; they are the same for all.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from bench import servers
from bench.crowds import Crowd, crowd
from bench.measure import cpu, median, memory, percentile
from bench.servers import Server

SIZES = (100, 200, 1_000, 10_000)
LITERAL_MOST = 1_000  # sessions: past that its Redis alone takes seconds
TOPICS = 1_000
ELSEWHERE = 1_000_000  # a topic that nobody follows
WRITES = 40  # there, in each round
DELIVERIES = 40_000  # in each round, as far as the number of broadcasts allows
BROADCASTS = (3, 40)
SLOW = {"literal": 20}  # whose writes and deliveries are so many times fewer
SETTLE = 1.0  # seconds until memory is looked at


@dataclass
class Entry:
    """A contestant with its crowd."""

    server: Server
    crowd: Crowd
    before: int = 0  # bytes

    async def idle_memory(self) -> int:
        await asyncio.sleep(SETTLE)
        return memory(self.server.pids())


async def run(rounds: int, sizes: Sequence[int] = SIZES, say: Any = print) -> dict[str, Any]:
    """Each size on one topic and, from 1,000 sessions on, over 1,000 topics."""
    block = await a_block()
    results = []
    for sessions in sizes:
        for topics in (1, TOPICS) if sessions >= TOPICS else (1,):
            began = time.monotonic()
            results.append(await compare(block, sessions, topics, rounds))
            say(f"fan-out: {sessions} sessions, {topics} topics, {time.monotonic() - began:.0f} s")
            for name, figures in results[-1]["contestants"].items():
                say(f"  {name:8} " + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    return {"nchan": servers.nchan_module() is not None, "block": len(block), "rounds": rounds, "sizes": results}


async def a_block() -> str:
    """What Parley sends for a comment, byte for byte."""
    async with servers.parley() as server, crowd() as watchers:
        await watchers.open(server, 1)
        await watchers.watch(1)
        await server.publish(0)
        sample: str = (await watchers.seen())["sample"]
    return sample[sample.index("id: ") :].replace("\r\n", "\n").split("\n\n")[0] + "\n\n"


async def compare(block: str, sessions: int, topics: int, rounds: int) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        entries = [await _enter(stack, make) for make in contestants(block, sessions, topics)]
        idle = [await _open(entry, sessions, topics, place) for place, entry in enumerate(entries)]
        measured: dict[str, list[dict[str, float]]] = defaultdict(list)
        for _ in range(rounds):
            for entry in entries:
                measured[entry.server.name].append(await _round(entry, sessions, topics))
    told = {name: {key: median(one[key] for one in all) for key in all[0]} for name, all in measured.items()}
    for entry, bytes in zip(entries, idle, strict=True):
        told[entry.server.name]["memory_kib"] = bytes / sessions / 1024
    return {"sessions": sessions, "topics": topics, "contestants": told, "rounds": measured}


def contestants(block: str, sessions: int, topics: int) -> list[Any]:
    return [
        servers.parley(),
        servers.floor(block),
        *([servers.nchan(block)] if servers.nchan_module() else []),
        *([servers.literal()] if sessions <= LITERAL_MOST and topics == 1 else []),
    ]


async def _enter(stack: AsyncExitStack, make: Any) -> Entry:
    return Entry(await stack.enter_async_context(make), await stack.enter_async_context(crowd()))


async def _open(entry: Entry, sessions: int, topics: int, place: int) -> int:
    """Open the streams; answers how many bytes they take. A few have been there before, so that all is loaded."""
    async with crowd() as early:
        await early.open_at(entry.server, 5, [entry.server.path.format(topic=ELSEWHERE)])
        await early.watch(5)
        await entry.server.publish(ELSEWHERE)
        await early.seen()
    before = await entry.idle_memory()
    await entry.crowd.open(entry.server, sessions, topics, address=20 * place)
    return await entry.idle_memory() - before


def posts_in_a_round(sessions: int, topics: int, slow: int) -> int:
    broadcasts = min(max(DELIVERIES // slow // sessions, BROADCASTS[0]), BROADCASTS[1])
    return broadcasts if topics == 1 else BROADCASTS[1]


async def _round(entry: Entry, sessions: int, topics: int) -> dict[str, float]:
    slow = SLOW.get(entry.server.name, 1)
    posts, each = posts_in_a_round(sessions, topics, slow), sessions // topics
    pids = entry.server.pids()
    used = cpu(pids)
    for _ in range(WRITES // slow):
        await entry.server.publish(ELSEWHERE)
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
