"""The bench's parts work: a crowd counts what it is sent, and the page is written from results. No times are tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import report, servers
from bench.cluster import Cluster, Shape
from bench.crowds import crowd
from bench.measure import exponent, percentile
from bench.million import hint_cost

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


def test_every_mark_of_the_page_has_its_table() -> None:
    names = [block["name"] for block in report.BLOCK.finditer(report.PAGE.read_text())]
    assert sorted(names) == sorted(report.TABLES)


def test_what_is_said_of_many_numbers() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2
    assert percentile(range(1, 101), 99) == 99
    assert exponent([1, 10, 100], [3, 30, 300]) == pytest.approx(1)
    assert exponent([1, 10, 100], [5, 5, 5]) == pytest.approx(0)
