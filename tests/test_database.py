"""Errors of the database: unavailable is distinguished from errors of our own."""

from __future__ import annotations

import os
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app.database import Database, file_of, is_unavailable, prepare_file

pytestmark = pytest.mark.both_databases


async def read_error(database: Database, *statements: str) -> BaseException:
    try:
        async with database.reading() as session:
            for statement in statements:
                await session.execute(text(statement))
    except Exception as error:
        return error
    pytest.fail("the statements raised no error")


@pytest.mark.parametrize(
    "statements",
    [
        ("SET statement_timeout = '20ms'", "SELECT pg_sleep(5)"),
        ("SELECT pg_terminate_backend(pg_backend_pid())",),
    ],
    ids=["too slow", "killed"],
)
async def test_a_temporary_failure_is_unavailable(postgres_url: str, statements: tuple[str, ...]) -> None:
    database = Database(postgres_url)
    assert is_unavailable(await read_error(database, *statements))
    await database.close()


async def test_a_wrong_name_is_an_error_and_a_missing_server_is_unavailable(postgres_url: str) -> None:
    database = Database(postgres_url.replace("/parley_", "/nobody_"))
    assert not is_unavailable(await read_error(database, "SELECT 1"))
    await database.close()
    away = Database("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    assert is_unavailable(await read_error(away, "SELECT 1"))
    await away.close()


async def test_errors_of_our_own_are_not_unavailable(database_url: str) -> None:
    database = Database(database_url)
    error = await read_error(database, "SELECT 1/0 FROM epochs WHERE CAST(value AS NOTHING) = 1")
    if not database.is_sqlite:
        assert not is_unavailable(error)
    await database.close()


async def test_readers_do_not_wait_for_a_writer(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    async with database.transaction() as writing:
        await writing.execute(text("UPDATE epochs SET value = 'x'"))
        await database.ask("SELECT value FROM epochs")
        await writing.rollback()
    await database.close()


def test_a_restored_file_uses_wal_before_its_first_connections(sqlite_url: str) -> None:
    """A backup by VACUUM INTO has no WAL. Connections that all set it at once would fail: the database is locked."""
    file = file_of(sqlite_url)
    assert file
    assert journal_mode(file, "=DELETE") == "delete"
    with closing(sqlite3.connect(file, isolation_level=None)) as other, ThreadPoolExecutor(1) as thread:
        other.execute("BEGIN IMMEDIATE")
        other.execute("SELECT value FROM epochs")
        prepared = thread.submit(prepare_file, sqlite_url)
        assert not wait([prepared], timeout=0.1).done
        other.execute("COMMIT")
        prepared.result()
    assert journal_mode(file) == "wal"


def journal_mode(file: Path, change: str = "") -> str:
    with closing(sqlite3.connect(file)) as connection:
        (mode,) = connection.execute(f"PRAGMA journal_mode{change}").fetchone()
    return str(mode)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such modes")
async def test_other_users_of_the_machine_cannot_read_sqlites_files(tmp_path: Path) -> None:
    """The files have addresses and password hashes. The start restricts the modes of an older release's files."""
    old = tmp_path / "old.db"
    for file in (old, Path(f"{old}-wal")):
        file.touch(mode=0o644)
        file.chmod(0o644)
    before = os.umask(0o022)
    try:
        for file in (old, tmp_path / "new" / "parley.db"):
            database = Database(f"sqlite+aiosqlite:///{file}")
            async with database.transaction() as writing, writing.begin():
                await writing.execute(text("CREATE TABLE things (id INTEGER)"))
                modes = {one.name: oct(one.stat().st_mode & 0o777) for one in file.parent.glob(f"{file.name}*")}
            assert set(modes) == {file.name, f"{file.name}-wal", f"{file.name}-shm"}
            assert set(modes.values()) == {"0o600"}
            await database.close()
    finally:
        os.umask(before)
    assert oct((tmp_path / "new").stat().st_mode & 0o777) == "0o700"


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such modes")
def test_a_database_url_that_names_a_device_leaves_its_mode(tmp_path: Path) -> None:
    """/dev/null at 0600 would break every other program on the machine. A named pipe stands for it here."""
    device = tmp_path / "pipe"
    os.mkfifo(device)
    device.chmod(0o666)
    prepare_file(f"sqlite+aiosqlite:///{device}")
    assert oct(device.stat().st_mode & 0o777) == "0o666"
