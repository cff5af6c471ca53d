"""The parts of the bench: a crowd counts frames, and the page is written from results. No test measures time."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from bench import report, servers
from bench.cluster import Cluster, Shape
from bench.crowds import crowd
from bench.measure import exponent, percentile
from bench.million import hint_cost
from bench.road import Direction, Network, Road

BLOCK = 'id: 1\nevent: global.comment.create.success\ndata: {"payload": {"model": {"body": "hello"}}}\n\n'


async def test_a_crowd_records_each_frame_and_its_time_once() -> None:
    async with servers.floor(BLOCK) as floor, crowd() as watchers:
        assert (await watchers.open(floor, sessions=20, topics=2))["sessions"] == 20
        await watchers.watch(10)
        await floor.publish(1)
        seen = await watchers.seen()
        assert (seen["frames"], list(seen["last"])) == (10, ["1"])
        assert seen["times"] == sorted(seen["times"])
        assert BLOCK in seen["sample"]
        await watchers.watch(1, seconds=0.1)
        assert (await watchers.seen())["frames"] == 0, "the crowd counted a frame that no server sent"


def test_each_watching_process_of_a_cluster_reads_a_change_at_most_once() -> None:
    everywhere = Cluster(Shape(processes=8, topics=1, sessions=400)).simulate(writes_a_second=1, seconds=20)
    assert everywhere.useful == everywhere.received == 20 * 8
    assert 0 < everywhere.reads <= 20 * 8


def test_topic_affinity_reduces_reads_and_hints() -> None:
    spread = Cluster(Shape(processes=8, topics=200, sessions=4_000)).simulate(50, 5)
    grouped = Cluster(Shape(processes=8, topics=200, sessions=4_000, affinity=2, shards=4)).simulate(50, 5)
    assert grouped.reads < spread.reads / 2
    assert grouped.received < spread.received / 2


def test_a_hint_for_an_unwatched_topic_has_a_cost() -> None:
    assert hint_cost() > 0


def test_the_report_replaces_only_the_tables_of_scenarios_with_results(tmp_path: Path) -> None:
    size = {"p50_ms": 1.0, "p99_ms": 2.0}
    same = {
        "database": "postgresql",
        "checkout": "here",
        "reads": 900,
        "statements": 9,
        "level_s": 1,
        "cpu_us_a_frame": 2,
        "memory_kib": 50,
    }
    same |= {"calm": size, "storm": size}
    found = [{"sessions": 100, **same}, {"sessions": 1_000, **same}]
    (tmp_path / "storm.json").write_text(json.dumps({"sizes": found}))
    page = tmp_path / "bench.md"
    page.write_text(
        "before\n<!-- bench: storm -->\nold\n<!-- end -->\nafter\n<!-- bench: writes -->\nkept\n<!-- end -->\n"
    )
    report.write(tmp_path, page)
    text = page.read_text()
    assert text.startswith("before\n<!-- bench: storm -->\n| database, sessions |")
    assert "| PostgreSQL, 1,000 | here | 900 |" in text
    assert "to the power of 0.00 (PostgreSQL)." in text
    assert "old" not in text
    assert text.endswith("<!-- end -->\nafter\n<!-- bench: writes -->\nkept\n<!-- end -->\n")


async def test_a_road_counts_the_requests_and_bytes_of_every_connection() -> None:
    async with servers.floor(BLOCK) as floor, Road(floor.port) as road:
        for _ in range(2):
            async with httpx.AsyncClient(base_url=road.url, trust_env=False, verify=False) as client:
                await client.post("/?topic=1", content=BLOCK)
                await client.post("/?topic=2", content=BLOCK)
        assert [head.split(b"\r\n")[0] for head in road.requests] == [
            b"POST /?topic=1 HTTP/1.1",
            b"POST /?topic=2 HTTP/1.1",
        ] * 2
        assert road.received > 4 * len("HTTP/1.1 200 OK")


def test_all_connections_of_a_road_share_its_rate() -> None:
    down, network = Direction(), Network(latency=0.5, rate=1_000)
    assert down.send(2_000, network, now=10) == (12, 12.25)
    assert down.send(1_000, network, now=10) == (13, 13.25), "the second piece waits for the first one"
    assert down.send(1_000, network, now=20) == (21, 21.25)


def test_the_page_scenario_compares_with_an_older_checkout() -> None:
    here = {key: 2.0 for _, _, keys in report.PAGE_ROWS for key in keys}
    before = {**here, "first_requests": 300.0}
    lines = report.page({"checkouts": {"before": before, "here": here}}).splitlines()
    assert lines[0] == "|  | before | here | target |"
    assert lines[2].endswith("| 300 | 2 | ≤ 12 |")


def test_every_mark_of_the_page_has_a_table() -> None:
    names = [block["name"] for block in report.BLOCK.finditer(report.PAGE.read_text())]
    assert sorted(names) == sorted(report.TABLES)


def test_percentiles_and_exponents() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2
    assert percentile(range(1, 101), 99) == 99
    assert exponent([1, 10, 100], [3, 30, 300]) == pytest.approx(1)
    assert exponent([1, 10, 100], [5, 5, 5]) == pytest.approx(0)
