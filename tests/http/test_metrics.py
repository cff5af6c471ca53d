"""Metrics: the samples for Prometheus, the clients that may read them, and workers that answer for all."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.settings import ROOT, Settings
from tests.support.people import ARTICLE, person, write
from tests.support.serving import serving, spawned
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.live.service import Parley
    from tests.support.serving import Site

DASHBOARD = ROOT / "docs" / "grafana.json"


pytestmark = pytest.mark.sqlite_only


class Scrape:
    """The samples of one response."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        assert len(families) == len({family.name for family in families}), "a name is one family"
        self.samples = [sample for family in families for sample in family.samples]
        self.names = {sample.name for sample in self.samples}
        # A counter that was never incremented has a name and no sample.
        self.names |= set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))

    def sum(self, name: str, **labels: str) -> float:
        """The sum of these samples over all workers."""
        assert name in self.names, name
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def by_worker(self, name: str) -> dict[str, float]:
        found: defaultdict[str, float] = defaultdict(float)
        for sample in self.samples:
            if sample.name == name:
                found[sample.labels["worker"]] += sample.value
        return found


async def scrape(client: httpx.AsyncClient) -> Scrape:
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    return Scrape(response.text)


# -- samples ------------------------------------------------------------------------------------------------


async def test_a_comment_is_counted_from_its_write_to_its_streams(site: Site, site_parley: Parley) -> None:
    async with person(site, "Alice") as alice, person(site, "Bob") as bob:
        await wait_until(lambda: site_parley.hints.flowing, "Redis")
        async with open_stream(bob, "Article/1") as stream, open_stream(alice, "Article/1", cursor="nonsense") as reset:
            await reset.until("reset")
            before = await scrape(alice)
            await write(alice, "Hello")
            await stream.until("global.comment.create.success")
            await reset.until("global.comment.create.success")

            async def received_back() -> Scrape | None:
                now = await scrape(alice)
                names = ("parley_hint_lag_seconds_count", "parley_hints_published_total")
                return now if all(now.sum(name) > before.sum(name) for name in names) else None

            await wait_until(received_back, "the hint to come back from Redis")
            now = await scrape(alice)

        def more(name: str, **labels: str) -> float:
            return now.sum(name, **labels) - before.sum(name, **labels)

        assert now.sum("parley_streams") == 2
        assert now.sum("parley_topics") == 3, "the article and the two accounts"
        assert now.sum("parley_resets_total", reason="malformed") == 1
        assert more("parley_blocks_sent_total") == 2
        assert more("parley_frames_encoded_total") == 1
        assert more("parley_feed_lag_seconds_count") == 1
        assert 0 < more("parley_feed_lag_seconds_sum") < 5
        assert more("parley_hints_published_total") >= 1
        assert more("parley_hints_heard_total") >= 1
        assert more("parley_requests_total", route="/api/comments", method="POST", status="201") == 1
        assert more("parley_request_duration_seconds_bucket", route="/api/comments", method="POST", le="+Inf") == 1
        assert more("parley_request_duration_seconds_count", route="/api/comments", method="POST") == 1
        assert now.sum("parley_ring_changes") == 1
        assert now.sum("parley_ring_bytes") > 100
        assert (now.sum("parley_hints_flowing"), now.sum("parley_database_up")) == (1, 1)
        assert now.sum("parley_database_connections_limit") >= now.sum("parley_database_connections", state="idle") > 0
        assert now.sum("parley_worker_up", worker="1") == 1
        assert now.sum("process_resident_memory_bytes") > 10_000_000


async def test_sessions_that_lag_and_refused_streams_are_counted(settings: Settings) -> None:
    from app.main import create_app

    narrow = settings.model_copy(update={"ring_frames": 1, "max_streams": 1})
    async with serving(create_app(narrow)) as site, person(site, "Alice") as alice, site.client() as guest:
        page = (await guest.get("/api/comments/", params=ARTICLE)).json()
        for text in ("One", "Two", "Three"):
            await write(alice, text)
        async with open_stream(guest, "Article/1", cursor=page["cursor"]) as stream:
            for _ in range(3):
                await stream.until("global.comment.create.success")
            assert (await alice.get("/streams", params={"topic": "Article/1"})).text.startswith("retry:")
        now = await scrape(guest)
    assert now.sum("parley_conflations_total") == 1
    assert now.sum("parley_feed_reads_total", what="chunk") == 1
    assert now.sum("parley_streams_refused_total", bound="all") == 1
    assert now.sum("parley_streams_limit") == 1


async def test_clients_cannot_create_time_series(guest: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/nothing/else", "/Article/1", "/Article/2", "/api/nothing", "/static/nothing.js"):
        await guest.get(path)
    await guest.request("PROPFIND", "/Article/1")
    now = await scrape(guest)
    found = {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"])
        for sample in now.samples
        if sample.name == "parley_requests_total"
    }
    assert found == {
        ("none", "GET", "404"), ("/{type}/{id:path}", "GET", "404"), ("/{type}/{id:path}", "GET", "200"),
        ("/api", "GET", "404"), ("/static", "GET", "404"), ("/{type}/{id:path}", "other", "405"),
    }  # fmt: skip


async def test_metrics_can_be_read_without_the_database(settings: Settings, tmp_path: Path) -> None:
    from app.main import create_app

    away = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{tmp_path}"})
    async with serving(create_app(away)) as site, site.client() as guest:
        await scrape(guest)  # its own query fails after the errors have been counted, so the next scrape has it
        now = await scrape(guest)
    assert now.sum("parley_database_up") == 0
    assert now.sum("parley_database_errors_total", error="OperationalError") >= 1


# -- access -------------------------------------------------------------------------------------------------


async def test_the_public_may_not_read_metrics(guest: httpx.AsyncClient) -> None:
    for header in ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"):
        assert (await guest.get("/metrics", headers={header: "127.0.0.1"})).status_code == 403, header


@pytest.mark.parametrize(
    ("address", "near"),
    [("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("::ffff:192.168.0.7", True), ("fd00::1", True),
     ("", True), ("8.8.8.8", False), ("2606:4700::1111", False), ("::ffff:8.8.8.8", False)],
)  # fmt: skip
def test_a_distant_client_is_the_public(address: str, near: bool) -> None:
    from app.http.metrics import _is_private

    assert _is_private(address) is near


async def test_a_client_with_the_token_may_read_metrics(settings: Settings) -> None:
    from app.main import create_app

    guarded = settings.model_copy(update={"metrics_token": "prometheus shows this"})
    async with serving(create_app(guarded)) as site, site.client() as guest:
        refused = await guest.get("/metrics")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        for wrong in ("Bearer prometheus shows that", "Basic prometheus shows this é", ""):
            assert (await guest.get("/metrics", headers={"Authorization": wrong.encode()})).status_code == 401
        shown = {"Authorization": "Bearer prometheus shows this", "X-Forwarded-For": "8.8.8.8"}
        assert (await guest.get("/metrics", headers=shown)).status_code == 200


async def test_metrics_that_are_switched_off_are_not_found(settings: Settings) -> None:
    from app.main import create_app

    async with serving(create_app(settings.model_copy(update={"metrics": False}))) as site, site.client() as guest:
        assert (await guest.get("/metrics")).status_code == 404


# -- several workers ----------------------------------------------------------------------------------------


async def test_one_of_several_workers_answers_for_all(sqlite_url: str, redis_url: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "of the library's"
    environment = {"DATABASE_URL": sqlite_url, "REDIS_URL": redis_url, "PROMETHEUS_MULTIPROC_DIR": str(elsewhere)}
    async with spawned(environment, "--workers", "2") as app:

        async def asked() -> bool:
            """Each worker has answered a request. A connection belongs to one worker."""
            async with app.client() as guest:
                await guest.get("/Article/1")
                now = await scrape(guest)
                return set(now.by_worker("parley_requests_total")) == {"1", "2"}

        await wait_until(asked, "both workers to have answered")
        async with app.client() as guest:
            before = await scrape(guest)
            assert before.by_worker("parley_worker_up") == {"1": 1, "2": 1}
            started = before.by_worker("process_start_time_seconds")
            mine = psutil.Process().uids().real
            home = Path(tempfile.gettempdir()) / f"parley-{mine}-workers-{app.process.pid}"
            assert {path.name for path in home.iterdir()} == {"1.sock", "2.sock"}

        children = psutil.Process(app.process.pid).children()
        next(each for each in children if "spawn_main" in " ".join(each.cmdline())).kill()

        async def replaced() -> bool:
            try:
                async with app.client() as guest:
                    again = (await scrape(guest)).by_worker("process_start_time_seconds")
            except httpx.TransportError:  # the request reached the killed worker
                return False
            return set(again) == {"1", "2"} and again != started

        await wait_until(replaced, "another worker with the number of the killed one", 30)
    assert not home.exists()
    assert not elsewhere.exists()


# -- the dashboard ------------------------------------------------------------------------------------------


def expressions(panel: object) -> list[str]:
    """Every query in a panel, at any depth."""
    if isinstance(panel, dict):
        own = [value for key, value in panel.items() if key in ("expr", "definition") and isinstance(value, str)]
        return own + [found for value in panel.values() for found in expressions(value)]
    return [found for each in panel for found in expressions(each)] if isinstance(panel, list) else []


async def test_the_dashboard_uses_existing_metrics_only(guest: httpx.AsyncClient) -> None:
    await guest.get("/")
    known = (await scrape(guest)).names
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "sum", "count")}
    for place in (DASHBOARD, ROOT / "docs" / "operating.md"):
        text = place.read_text()
        asked = expressions(json.loads(text)) if place.suffix == ".json" else [text]
        named = {name for each in asked for name in re.findall(r"\b(?:parley|process)_[a-z_]+\b", each)}
        assert len(named) > 10
        assert named <= known, f"{place.name}: {named - known}"
