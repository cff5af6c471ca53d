"""A million sessions: an estimate of the resources of a cluster, from measured constants and a simulation.

No run serves a million sessions. The constants come from the results of the other scenarios. `cluster` simulates how
often a hundred processes read, sweep and receive hints, with the service's own feeds.
"""

from __future__ import annotations

import gc
import json
import time
import uuid
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

from app.live.hints import Hint
from app.live.read.feeds import Feeds
from app.live.read.reader import Reader
from bench.cluster import Cluster, Shape
from bench.measure import exponent, median

SESSIONS = 1_000_000
PROCESSES = 100  # of one core and 10,000 sessions each
TARGET_LOAD = 0.5  # of a core; the rest is for the moments when all clients reconnect

HOT = {"topics": 1, "writes_a_second": 5}  # all sessions follow one topic
MANY = {"topics": 50_000, "writes_a_second": 500}
GROUP = 4  # processes for the sessions of a topic
SECONDS = 5.0  # of simulated time
GROWTH = (10, 20, 50, 100)  # processes


async def run(results: Path, log: Any = print) -> dict[str, Any]:
    constants = {**_constants(results), "hint_us": hint_cost()}
    log(f"million: constants {constants}")
    found: dict[str, Any] = {"sessions": SESSIONS, "processes": PROCESSES, "seconds": SECONDS, "constants": constants}
    found["hot"] = {**HOT, "clusters": [_simulated(f"{PROCESSES} processes", Shape(PROCESSES, 1, PROCESSES * 20), HOT)]}
    found["many"] = {**MANY, "clusters": [_simulated(name, shape, MANY) for name, shape in _shapes().items()]}
    for name in ("hot", "many"):
        for cluster in found[name]["clusters"]:
            log(f"million: {name}, {cluster}")
    found["growth"] = _growth()
    log(f"million: reads by processes {found['growth']}")
    found["paper"] = paper(found)
    log(f"million: on paper {found['paper']}")
    return found


def _shapes() -> dict[str, Shape]:
    topics = MANY["topics"]
    return {
        "anywhere, one channel": Shape(PROCESSES, topics, SESSIONS),
        "anywhere, 256 shards": Shape(PROCESSES, topics, SESSIONS, shards=256),
        "by topic, one channel": Shape(PROCESSES, topics, SESSIONS, affinity=GROUP),
        "by topic, 256 shards": Shape(PROCESSES, topics, SESSIONS, affinity=GROUP, shards=256),
        "by topic, a channel a group": Shape(PROCESSES, topics, SESSIONS, affinity=GROUP, shards=PROCESSES // GROUP),
    }


def _simulated(name: str, shape: Shape, load: dict[str, int]) -> dict[str, Any]:
    """Rates per second. They are of the whole cluster, unless their name says otherwise."""
    gc.disable()  # there are a few hundred thousand feeds, and no garbage
    try:
        began = time.monotonic()
        cluster = Cluster(shape)
        counts = cluster.simulate(load["writes_a_second"], SECONDS)
        took = time.monotonic() - began
    finally:
        gc.enable()
    return {
        "name": name,
        "shape": asdict(shape),
        "open_topics": sum(map(len, cluster.processes)) / shape.processes,
        "sessions_most": max(cluster.loads),
        "reads": counts.reads / SECONDS,
        "reads_a_write": counts.reads / SECONDS / load["writes_a_second"],
        "sweeps": counts.sweeps / SECONDS,
        "swept_topics": counts.swept / SECONDS,
        "heard_a_process": counts.received / SECONDS / shape.processes,
        "heard": counts.received / SECONDS,
        "meant_percent": 100 * counts.useful / max(counts.received, 1),
        "took_s": took,
    }


def _growth() -> dict[str, Any]:
    """Reads per second against the number of processes, at one hot topic."""
    reads = [_simulated(f"{count}", Shape(count, 1, count * 20), HOT)["reads"] for count in GROWTH]
    return {"processes": GROWTH, "reads": reads, "exponent": exponent(GROWTH, reads)}


def hint_cost() -> float:
    """The CPU time (µs) of a process for a hint about a topic that it does not watch, without Redis's part."""
    feeds = Feeds(Reader(None, ()))  # type: ignore[arg-type]  # nothing is read
    hints = [f"gid://parley/Comment/{uuid.uuid4()}?topic=Article%2F{number}&seq=7" for number in range(5_000)]
    costs = []
    for _ in range(5):
        began = time.process_time()
        for hint in hints:
            feeds.hint(Hint.parse(hint))
        costs.append((time.process_time() - began) / len(hints) * 1e6)
    return median(costs)


def _constants(results: Path) -> dict[str, float]:
    """Constants from the results of the other scenarios. Raises FileNotFoundError if one of them has not run."""
    sizes = _read(results, "fan-out")["sizes"]
    largest = max(size["sessions"] for size in sizes)
    fanout = next(
        size["contestants"]["parley"] for size in sizes if size["sessions"] == largest and size["topics"] == 1
    )
    rows = next(
        way["requests"]["post"]["rows"]
        for way in _read(results, "writes")["ways"]
        if way["database"] == "postgresql" and way["topics"] == 1
    )
    growth = _read(results, "growth")
    topics = {int(count): cost for count, cost in growth["topics"].items()}
    few, many = min(topics), max(topics)
    return {
        "delivery_us": fanout["cpu_us"],
        "session_kib": fanout["memory_kib"],
        "last_p99_ms": fanout["last_p99_ms"],
        "post_ms": growth["comments"]["postgresql"]["post"]["1000"],
        "swept_topic_us": max(0.0, (topics[many] - topics[few]) / (many - few) * 1e3),
        "hot_topic_rows_a_second": rows["per_second"],
    }


def _read(results: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((results / f"{name}.json").read_text())
    return found


def paper(found: dict[str, Any]) -> dict[str, float]:
    """The resources for a million sessions, computed from the constants."""
    constants = found["constants"]
    each = SESSIONS / PROCESSES
    hot_second = HOT["writes_a_second"] * each * constants["delivery_us"] / 1e6  # of each core
    hint_load = {
        cluster["name"]: cluster["heard_a_process"] * constants["hint_us"] / 1e4
        for cluster in found["many"]["clusters"]
    }
    return {
        "memory_gib": SESSIONS * constants["session_kib"] / 2**20,
        "memory_gib_a_process": each * constants["session_kib"] / 2**20,
        "hot_core_percent": hot_second * 100,
        "hot_most_writes_a_second": TARGET_LOAD / (each * constants["delivery_us"] / 1e6),
        "hot_processes_at_load": ceil(SESSIONS * HOT["writes_a_second"] * constants["delivery_us"] / 1e6 / TARGET_LOAD),
        "deliveries_a_second_a_core": 1e6 / constants["delivery_us"],
        "hints_percent_one_channel": hint_load["anywhere, one channel"],
        "hints_percent_sharded": hint_load["by topic, a channel a group"],
        "hints_fill_a_core_at": TARGET_LOAD * 1e6 / constants["hint_us"],
        "posting_cores": MANY["writes_a_second"] * constants["post_ms"] / 1e3 / TARGET_LOAD,
        "hot_topic_most_commits": constants["hot_topic_rows_a_second"],
    }
