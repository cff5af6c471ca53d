from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from app.database import known_migrations
from app.doctor import database
from app.doctor.finding import State
from app.mail import mail_queue
from tests.doctor.diagnosis import Diagnosis, collect_findings

if TYPE_CHECKING:
    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.both_databases


async def examined(settings: Settings, url: str = "") -> Diagnosis:
    return await collect_findings(
        database.examine(settings.model_copy(update={"database_url": url or settings.database_url}))
    )


async def test_one_that_is_well(settings: Settings) -> None:
    found = await examined(settings)
    assert found.well, found
    assert any("up to date" in said for said in found.all_of(State.OK))


async def test_dead_letters_are_counted(settings: Settings, parley: Parley) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        for _ in range(2):
            stored = mail_queue.Mail(
                id=uuid4(), kind="reset", address="=?utf-8?q?boss?=@corp.example", attempts=1,
                created_at=datetime.now(UTC),
            )  # fmt: skip
            await mail_queue.make_dead_letter(writing, stored, "cannot be built")
    found = await examined(settings)
    assert any(said.startswith("2 of the last 30 days") for said in found.warnings)


async def test_a_file_that_is_not_there_is_not_made(settings: Settings, tmp_path: Path) -> None:
    found = await examined(settings, f"sqlite+aiosqlite:///{tmp_path}/nowhere/parley.db")
    assert found.wrong == [f"{tmp_path}/nowhere/parley.db doesn't exist."]
    assert not (tmp_path / "nowhere").exists()


async def test_a_server_that_is_away_or_lets_nobody_in(settings: Settings, postgres_server: PostgresServer) -> None:
    (said,) = (await examined(settings, "postgresql+asyncpg://parley:hunter2@127.0.0.1:1/parley")).wrong
    assert said.startswith("postgresql+asyncpg://parley:***@127.0.0.1:1/parley: ")
    (said,) = (await examined(settings, postgres_server.url("nothing"))).wrong
    assert said.endswith('database "nothing" does not exist')


async def test_what_is_no_database(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("to do: " * 1_000)
    (said,) = (await examined(settings, f"sqlite+aiosqlite:///{tmp_path}/notes.txt")).wrong
    assert said.endswith("file is not a database")


@pytest.mark.parametrize(("at", "said"), [("0001", "0001; this release needs"), ("9999", "9999, which this release")])
async def test_a_schema_of_another_release(sqlite_url: str, settings: Settings, at: str, said: str) -> None:
    with closing(sqlite3.connect(make_url(sqlite_url).database or "")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [at])
        connection.commit()
    (wrong,) = (await examined(settings, sqlite_url)).wrong
    assert wrong.startswith(said)


def test_no_schema_at_all() -> None:
    assert database.schema(None, known_migrations()).advice == "parley migrate"


async def test_a_replica_takes_no_writes(postgres_url: str, settings: Settings) -> None:
    read_only = f"ALTER DATABASE {make_url(postgres_url).database} SET default_transaction_read_only = on"
    await _execute(postgres_url, read_only)
    assert (await examined(settings, postgres_url)).wrong == ["it is read-only, perhaps a replica."]


async def _execute(url: str, statement: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def test_a_network_is_no_place_for_sqlite(tmp_path: Path) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/home {tmp_path} nfs4 rw 0 0\n"
    assert database.place(tmp_path / "parley.db", mounts).state == State.WRONG
    assert database.place(Path("/parley.db"), mounts).state == State.OK
    assert database.place(Path("/parley.db"), "").state == State.OK, "a system that does not tell"


def test_what_cannot_have_a_log_says_so() -> None:
    assert database.journal("delete").state == State.WRONG


def test_few_connections_and_clocks_that_differ() -> None:
    assert database.connections(25).state == State.WARNING
    assert database.connections(100).message == "100 connections, enough for 4 processes"
    now = datetime.now(UTC)
    assert database.clock(now - timedelta(minutes=1), now).state == State.WARNING
    assert database.clock(now - timedelta(seconds=1), now).state == State.OK
