"""A million sessions: what the measured constants come to, and what a cluster of so many processes asks for.

Nothing here serves a million. The constants are read from the other scenarios' results; how often a hundred processes
read, sweep and hear is simulated with the service's own feeds (`cluster`).
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
BUSY = 0.5  # of a core, so that there is room for the moments when everybody comes back

HOT = {"topics": 1, "writes_a_second": 5}  # everybody at one topic
MANY = {"topics": 50_000, "writes_a_second": 500}
GROUP = 4  # processes that a topic's sessions go to
SECONDS = 5.0  # that are simulated
GROWTH = (10, 20, 50, 100)  # processes


async def run(results: Path, say: Any = print) -> dict[str, Any]:
    constants = {**_constants(results), "hint_us": hint_cost()}
    say(f"million: constants {constants}")
    found: dict[str, Any] = {"sessions": SESSIONS, "processes": PROCESSES, "seconds": SECONDS, "constants": constants}
    found["hot"] = {**HOT, "clusters": [_simulated(f"{PROCESSES} processes", Shape(PROCESSES, 1, PROCESSES * 20), HOT)]}
    found["many"] = {**MANY, "clusters": [_simulated(name, shape, MANY) for name, shape in _shapes().items()]}
    for name in ("hot", "many"):
        for cluster in found[name]["clusters"]:
            say(f"million: {name}, {cluster}")
    found["growth"] = _growth()
    say(f"million: reads by processes {found['growth']}")
    found["paper"] = paper(found)
    say(f"million: on paper {found['paper']}")
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
    """Per second, of the whole cluster where it is not said otherwise."""
    gc.disable()  # a few hundred thousand feeds, none of them garbage
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
        "heard_a_process": counts.heard / SECONDS / shape.processes,
        "heard": counts.heard / SECONDS,
        "meant_percent": 100 * counts.meant / max(counts.heard, 1),
        "took_s": took,
    }


def _growth() -> dict[str, Any]:
    """Reads per second against the number of processes, at one hot topic."""
    reads = [_simulated(f"{count}", Shape(count, 1, count * 20), HOT)["reads"] for count in GROWTH]
    return {"processes": GROWTH, "reads": reads, "exponent": exponent(GROWTH, reads)}


def hint_cost() -> float:
    """µs that a process spends on a hint for a topic nobody watches there, Redis's part not in it."""
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
    """What the other scenarios have found; KeyError or FileNotFoundError where they have not been run."""
    sizes = _read(results, "fan-out")["sizes"]
    most = max(size["sessions"] for size in sizes)
    fanout = next(size["contestants"]["parley"] for size in sizes if size["sessions"] == most and size["topics"] == 1)
    writes = {(way["database"], way["topics"] > 1): way["per_second"] for way in _read(results, "writes")["ways"]}
    growth = _read(results, "growth")
    topics = {int(count): cost for count, cost in growth["topics"].items()}
    few, many = min(topics), max(topics)
    return {
        "delivery_us": fanout["cpu_us"],
        "session_kib": fanout["memory_kib"],
        "last_p99_ms": fanout["last_p99_ms"],
        "post_ms": growth["comments"]["postgresql"]["post"]["1000"],
        "swept_topic_us": max(0.0, (topics[many] - topics[few]) / (many - few) * 1e3),
        "hot_topic_rows_a_second": writes["postgresql", False]["rows"],
        "hot_topic_model_a_second": writes["postgresql", False]["model"],
        "many_topics_model_a_second": writes["postgresql", True]["model"],
    }


def _read(results: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((results / f"{name}.json").read_text())
    return found


def paper(found: dict[str, Any]) -> dict[str, float]:
    """What a million sessions need, by multiplication."""
    constants = found["constants"]
    each = SESSIONS / PROCESSES
    hot_second = HOT["writes_a_second"] * each * constants["delivery_us"] / 1e6  # of each core
    heard = {
        cluster["name"]: cluster["heard_a_process"] * constants["hint_us"] / 1e4
        for cluster in found["many"]["clusters"]
    }
    return {
        "memory_gib": SESSIONS * constants["session_kib"] / 2**20,
        "memory_gib_a_process": each * constants["session_kib"] / 2**20,
        "hot_core_percent": hot_second * 100,
        "hot_most_writes_a_second": BUSY / (each * constants["delivery_us"] / 1e6),
        "hot_processes_at_load": ceil(SESSIONS * HOT["writes_a_second"] * constants["delivery_us"] / 1e6 / BUSY),
        "deliveries_a_second_a_core": 1e6 / constants["delivery_us"],
        "hints_percent_one_channel": heard["anywhere, one channel"],
        "hints_percent_sharded": heard["by topic, a channel a group"],
        "hints_fill_a_core_at": BUSY * 1e6 / constants["hint_us"],
        "posting_cores": MANY["writes_a_second"] * constants["post_ms"] / 1e3 / BUSY,
        "hot_topic_most_commits": constants["hot_topic_rows_a_second"],
    }
