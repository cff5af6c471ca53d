"""Running it as its users do: `python -m app` (which is `make run`), and `uvicorn --reload` with open streams."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from app.models import account as accounts
from app.models.user import find_user
from app.settings import ROOT
from tests.support.serving import spawned
from tests.support.sse import listening
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.live.parley import Parley


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy to change files in."""
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    return tmp_path


async def test_make_run_migrates_seeds_once_and_serves(checkout: Path) -> None:
    for _ in range(2):
        async with spawned({}, checkout=checkout, module="app") as app, app.client() as guest:
            page = await guest.get("/Article/1")
            assert page.text.count("There is always a step.") >= 1
            answer = await guest.get("/api/comments/?commentable_type=Article&commentable_id=1")
            assert len(answer.json()["comments"]) == 3
            # It serves before it has heard from Redis.
            await wait_until(lambda: _hears_redis(guest), "its hints to flow")
            assert "Z INFO    app.web.access: GET /Article/1 200 (route=/{type}/{id:path} ms=" in app.process.log
            assert "?" not in app.process.log, "no line has a query"


@pytest.mark.parametrize("command", [["app"], ["uvicorn", "app.main:app"]], ids=["make run", "uvicorn"])
async def test_production_does_not_begin_without_what_it_needs(command: list[str]) -> None:
    environment = {"PATH": os.environ["PATH"], "ENVIRONMENT": "production"}
    for missing, value in (
        ("SECRET_KEY", "a key that is long enough for production"), ("SMTP_URL", "smtp://mail.example.com"),
        ("PUBLIC_URL", "nothing of the kind"),
    ):  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, cwd=ROOT, env=environment, stdout=PIPE, stderr=STDOUT
        )
        said, _ = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode
        assert missing in said.decode().splitlines()[-1], "the last thing that one reads is what to do"
        environment[missing] = value


async def test_who_runs_it_makes_the_first_owner(
    parley: Parley, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app.__main__ import main

    monkeypatch.setenv("DATABASE_URL", parley.settings.database_url)
    monkeypatch.setenv("REDIS_URL", parley.settings.redis_url)
    alice = await accounts.make(parley, "alice@example.com", "Alice", "talk among friends")
    await asyncio.to_thread(main, ["owner", "Alice@example.com"])
    assert capsys.readouterr().out == "Alice is an owner now.\n"
    async with parley.reading() as reading:
        found = await find_user(reading, alice.id)
    assert found
    assert found.role == "owner"
    for arguments, said in (
        (["owner", "bob@example.com"], "bob@example.com: There is no such account."),
        (["owner", "bob"], "bob: this is not an address like alice@example.com."),
        (["owner"], "python -m app [serve | epoch | owner <email address>]"),
        (["serve", "bob"], "python -m app [serve | epoch | owner <email address>]"),
    ):
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main, arguments)
        assert ended.value.code == said
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{os.devnull}")
    with pytest.raises(SystemExit, match=r"^The database: [^\n]+$"):
        await asyncio.to_thread(main, ["owner", "alice@example.com"])


async def test_a_reload_ends_streams_and_is_soon_back(checkout: Path) -> None:
    async with spawned({}, checkout=checkout, module="app"):
        pass  # the schema and the demo
    began = time.monotonic()
    async with spawned({}, "--reload", checkout=checkout) as app, app.client() as guest:
        start = time.monotonic() - began
        async with listening(guest, "Article/1") as one, listening(guest, "Article/1", "Page/about") as two:
            await one.until("heartbeat")
            await two.until("heartbeat")
            workers = psutil.Process(app.process.pid).children(recursive=True)
            began = time.monotonic()
            with (checkout / "app" / "main.py").open("a") as file:
                file.write("\n")
            await one.ended()
            await two.ended()
            await wait_until(lambda: _answers(guest), "the app to be back")
            # A second more than the first start, where nothing else runs; this machine may have other things to do.
            assert time.monotonic() - began < 4 + 2 * start
        async with listening(guest, "Article/1", last_event_id=one.position) as again:
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
