from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
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


async def diagnose(settings: Settings, url: str = "") -> Diagnosis:
    return await collect_findings(
        database.examine(settings.model_copy(update={"database_url": url or settings.database_url}))
    )


async def test_a_current_database_is_ok(settings: Settings) -> None:
    found = await diagnose(settings)
    assert found.is_ok, found
    assert any("up to date" in message for message in found.all_of(State.OK))


async def test_dead_letters_are_counted(settings: Settings, parley: Parley) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        for _ in range(2):
            stored = mail_queue.Mail(
                id=uuid4(), kind="reset", address="=?utf-8?q?boss?=@corp.example", attempts=1,
                created_at=datetime.now(UTC),
            )  # fmt: skip
            await mail_queue.make_dead_letter(writing, stored, "cannot be built")
    found = await diagnose(settings)
    assert any(message.startswith("2 of the last 30 days") for message in found.warnings)


async def test_a_missing_file_is_reported_and_not_created(settings: Settings, tmp_path: Path) -> None:
    found = await diagnose(settings, f"sqlite+aiosqlite:///{tmp_path}/nowhere/parley.db")
    assert found.problems == [f"{tmp_path}/nowhere/parley.db doesn't exist."]
    assert not (tmp_path / "nowhere").exists()


async def test_a_server_that_refuses_connections_or_lacks_the_database(
    settings: Settings, postgres_server: PostgresServer
) -> None:
    (message,) = (await diagnose(settings, "postgresql+asyncpg://parley:hunter2@127.0.0.1:1/parley")).problems
    assert message.startswith("postgresql+asyncpg://parley:***@127.0.0.1:1/parley: ")
    (message,) = (await diagnose(settings, postgres_server.url("nothing"))).problems
    assert message.endswith('database "nothing" does not exist')


async def test_a_file_that_is_no_database_is_reported(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("to do: " * 1_000)
    (message,) = (await diagnose(settings, f"sqlite+aiosqlite:///{tmp_path}/notes.txt")).problems
    assert message.endswith("file is not a database")


@pytest.mark.parametrize(
    ("at", "message"), [("0001", "0001; this release needs"), ("9999", "9999, which this release")]
)
async def test_a_schema_of_another_release_is_reported(
    sqlite_url: str, settings: Settings, at: str, message: str
) -> None:
    with closing(sqlite3.connect(make_url(sqlite_url).database or "")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [at])
        connection.commit()
    (problems,) = (await diagnose(settings, sqlite_url)).problems
    assert problems.startswith(message)


def test_the_advice_for_a_database_without_a_schema_is_to_migrate() -> None:
    assert database.schema(None, known_migrations()).advice == "parley migrate"


async def test_a_read_only_replica_is_reported(postgres_url: str, settings: Settings) -> None:
    read_only = f"ALTER DATABASE {make_url(postgres_url).database} SET default_transaction_read_only = on"
    await _execute(postgres_url, read_only)
    assert (await diagnose(settings, postgres_url)).problems == ["it is read-only, perhaps a replica."]


async def _execute(url: str, statement: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def test_sqlite_on_a_network_file_system_is_reported(tmp_path: Path) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/home {tmp_path} nfs4 rw 0 0\n"
    assert database.place(tmp_path / "parley.db", mounts).state == State.WRONG
    assert database.place(Path("/parley.db"), mounts).state == State.OK
    assert database.place(Path("/parley.db"), "").state == State.OK, "a system that does not list its mounts"


def test_too_few_connections_are_reported() -> None:
    assert database.connections(25).state == State.WARNING
    assert database.connections(100).message == "100 connections, enough for 4 processes"
