"""Starting the app as its users do: `python -m app` (`make run`), and `uvicorn --reload` with open streams."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from app.settings import ROOT
from tests.support.people import person, write
from tests.support.serving import spawned
from tests.support.sse import Stream, open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy in which a test changes files. Python compares times and sizes, so copied compiled files stay valid."""
    for name in ("app", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


async def test_make_run_migrates_seeds_once_and_serves(checkout: Path) -> None:
    for _ in range(2):
        async with spawned({}, checkout=checkout, module="app") as app, app.client() as guest:
            page = await guest.get("/Article/1")
            assert page.text.count("There is always a step.") >= 1
            answer = await guest.get("/api/comments/?commentable_type=Article&commentable_id=1")
            assert len(answer.json()["comments"]) == 3
            # The app serves before Redis responds.
            await wait_until(lambda: _hears_redis(guest), "its hints to flow")
            assert (
                "Z INFO    app.http.middleware.request_log: GET /Article/1 200 (route=/{type}/{id:path} ms="
                in app.process.log
            )
            assert "?" not in app.process.log, "no line has a query"


@pytest.mark.parametrize("command", [["app"], ["uvicorn", "app.main:app"]], ids=["make run", "uvicorn"])
async def test_production_does_not_start_without_required_settings(command: list[str]) -> None:
    """`tests/test_settings.py` has the other variables that production needs."""
    environment = {"PATH": os.environ["PATH"], "ENVIRONMENT": "production"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=ROOT, env=environment, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode
    assert "SECRET_KEY" in said.decode().splitlines()[-1], "the last line says what to do"


async def test_several_workers_share_a_file_and_a_private_redis(checkout: Path) -> None:
    """Sweeps are far apart here, so a worker learns of another worker's commits only by Redis."""
    async with (
        spawned({"SWEEP_SECONDS": "300"}, "serve", "--workers", "2", checkout=checkout, module="app") as app,
        AsyncExitStack() as guests,
        person(app, "Dora") as dora,
    ):
        await wait_until(lambda: _hears_redis(dora), "hints to flow")
        processes = psutil.Process(app.process.pid).children()
        streams: list[Stream] = []
        while sum(map(_is_asked, processes)) < 2:
            guest = await guests.enter_async_context(app.client())
            streams.append(await guests.enter_async_context(open_stream(guest, "Article/1")))
            await streams[-1].until("heartbeat")
        await write(dora, "To both of you")
        for stream in streams:
            assert (await stream.until("create.success")).model["body"] == "To both of you"


def _is_asked(process: psutil.Process) -> bool:
    return any(found.status == psutil.CONN_ESTABLISHED for found in process.net_connections("tcp"))


async def test_a_reload_ends_streams_and_the_app_is_soon_back(checkout: Path, sqlite_url: str, redis_url: str) -> None:
    environment = {"DATABASE_URL": sqlite_url, "REDIS_URL": redis_url}
    async with spawned(environment, "--reload", checkout=checkout) as app, app.client() as guest:
        async with open_stream(guest, "Article/1") as one, open_stream(guest, "Article/1", "Page/about") as two:
            await one.until("heartbeat")
            await two.until("heartbeat")
            workers = psutil.Process(app.process.pid).children(recursive=True)
            with (checkout / "app" / "main.py").open("a") as file:
                file.write("\n")
            await one.ended()
            await two.ended()
            await wait_until(lambda: _answers(guest), "the app to be back")
        async with open_stream(guest, "Article/1", last_event_id=one.position) as again:
            assert (await again.next()).id == one.position
    gone = await asyncio.to_thread(psutil.wait_procs, workers, 5)
    assert not gone[1], "left running"


async def _hears_redis(client: httpx.AsyncClient) -> bool:
    return bool((await client.get("/readyz")).json()["redis"] == "up")


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False
