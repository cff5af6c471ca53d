"""The bench's parts work: a crowd counts what it is sent, and the page is written from results. No times are tested."""

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


async def test_a_crowd_sees_each_frame_once_and_when_it_came() -> None:
    async with servers.floor(BLOCK) as floor, crowd() as watchers:
        assert (await watchers.open(floor, sessions=20, topics=2))["sessions"] == 20
        await watchers.watch(10)
        await floor.publish(1)
        seen = await watchers.seen()
        assert (seen["frames"], list(seen["last"])) == (10, ["1"])
        assert seen["times"] == sorted(seen["times"])
        assert BLOCK in seen["sample"]
        await watchers.watch(1, seconds=0.1)
        assert (await watchers.seen())["frames"] == 0, "a frame came that nobody sent"


def test_a_cluster_asks_the_database_once_for_each_process_that_watches() -> None:
    everywhere = Cluster(Shape(processes=8, topics=1, sessions=400)).simulate(writes_a_second=1, seconds=20)
    assert everywhere.meant == everywhere.heard == 20 * 8
    assert 0 < everywhere.reads <= 20 * 8


def test_topics_that_stay_together_are_read_and_heard_in_fewer_processes() -> None:
    spread = Cluster(Shape(processes=8, topics=200, sessions=4_000)).simulate(50, 5)
    grouped = Cluster(Shape(processes=8, topics=200, sessions=4_000, affinity=2, shards=4)).simulate(50, 5)
    assert grouped.reads < spread.reads / 2
    assert grouped.heard < spread.heard / 2


def test_a_hint_for_a_topic_that_nobody_watches_has_a_cost() -> None:
    assert hint_cost() > 0


def test_the_page_is_written_from_results_and_nothing_else_of_it_is_touched(tmp_path: Path) -> None:
    size = {"p50_ms": 1.0, "p99_ms": 2.0}
    same = {
        "database": "postgresql",
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
    told = page.read_text()
    assert told.startswith("before\n<!-- bench: storm -->\n| database, sessions |")
    assert "| PostgreSQL, 1,000 | 900 |" in told
    assert "to the power of 0.00 (PostgreSQL): " in told
    assert "old" not in told
    assert told.endswith("<!-- end -->\nafter\n<!-- bench: writes -->\nkept\n<!-- end -->\n")


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
    assert down.send(1_000, network, now=10) == (13, 13.25), "behind the first one"
    assert down.send(1_000, network, now=20) == (21, 21.25)


def test_a_page_is_compared_with_the_older_checkout() -> None:
    here = {key: 2.0 for _, _, keys in report.PAGE_ROWS for key in keys}
    before = {**here, "first_requests": 300.0}
    lines = report.page({"checkouts": {"before": before, "here": here}}).splitlines()
    assert lines[0] == "|  | before | here | reach |"
    assert lines[2].endswith("| 300 | 2 | ≤ 12 |")


def test_every_mark_of_the_page_has_its_table() -> None:
    names = [block["name"] for block in report.BLOCK.finditer(report.PAGE.read_text())]
    assert sorted(names) == sorted(report.TABLES)


def test_what_is_said_of_many_numbers() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2
    assert percentile(range(1, 101), 99) == 99
    assert exponent([1, 10, 100], [3, 30, 300]) == pytest.approx(1)
    assert exponent([1, 10, 100], [5, 5, 5]) == pytest.approx(0)
