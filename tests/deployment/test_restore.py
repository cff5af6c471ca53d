"""Backup and restore: after one command, every client loads the restored data."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from app.live.service import Parley
from app.main import create_app
from app.models import LIVE_MODELS
from app.settings import ROOT
from tests.support.people import person, snapshot, write
from tests.support.serving import serving
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from app.settings import Settings
    from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.both_databases


async def run_epoch(settings: Settings) -> None:
    """The documented command, as an operator runs it."""
    environment = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "app", "epoch"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert b"The epoch is" in said


class Backup:
    """Copy the database and restore the copy, as an operator's tools do."""

    def __init__(self, settings: Settings, postgres: PostgresServer | None, directory: Path) -> None:
        self._url = settings.database_url
        self._postgres = postgres
        self._copy = directory / "backup.db"
        self._name = ""

    def take(self) -> None:
        if self._postgres:
            self._name = self._postgres.create(make_url(self._url).database or "")
        else:
            with closing(sqlite3.connect(self._file)) as source, closing(sqlite3.connect(self._copy)) as copy:
                source.backup(copy)

    def restore(self) -> str:
        """The URL of the restored database."""
        if self._postgres:
            return self._postgres.url(self._name)
        for path in self._file.parent.glob(f"{self._file.name}*"):
            path.unlink()
        self._copy.rename(self._file)
        return self._url

    def forget(self) -> None:
        if self._postgres and self._name:
            self._postgres.drop(self._name)

    @property
    def _file(self) -> Path:
        return Path(self._url.partition("///")[2])


@pytest.fixture
def backup(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Backup]:
    on_postgres = settings.database_url.startswith("postgresql")
    postgres = request.getfixturevalue("postgres_server") if on_postgres else None
    backup = Backup(settings, postgres, tmp_path)
    yield backup
    backup.forget()


async def test_every_client_reloads_after_a_restore(settings: Settings, backup: Backup) -> None:
    async with serving(create_app(settings)) as site, person(site, "Alice") as alice:
        cookies = alice.cookies
        await write(alice, "Before the backup")
    backup.take()
    async with serving(create_app(settings)) as site, site.client(cookies=cookies) as alice, site.client() as bob:
        await write(alice, "Lost with the disk")
        async with open_stream(bob, "Article/1") as stream:
            position = (await stream.next()).id
    restored = settings.model_copy(update={"database_url": backup.restore()})
    await run_epoch(restored)
    async with serving(create_app(restored)) as site, site.client(cookies=cookies) as alice, site.client() as bob:
        await write(alice, "After the restore")  # takes a seq that Bob's cursor has already passed
        async with open_stream(bob, "Article/1", last_event_id=position) as stream:
            reset = await stream.until("reset")
            assert reset.json() == {"topics": ["Article/1"], "reason": "epoch"}
        bodies = [comment["body"] for comment in (await snapshot(bob))["comments"]]
        assert bodies == ["Before the backup", "After the restore"]


async def test_open_streams_get_a_new_epoch_within_a_sweep(settings: Settings) -> None:
    sweeping = settings.model_copy(update={"sweep_seconds": 0.2})
    async with serving(create_app(sweeping)) as site, site.client() as bob, open_stream(bob, "Article/1") as stream:
        await stream.next()
        async with Parley(settings, LIVE_MODELS, listening=False) as operator:
            await operator.renew_epoch()
        assert (await stream.until("reset")).json()["reason"] == "epoch"
