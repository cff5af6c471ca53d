"""SQLite connections: the number of calls to their thread, and the behaviour of statements and transactions."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app import database as app_database
from app import logs, sqlite
from app.database import Database
from app.live.write.sequences import Epoch
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sqlite_only

TOPIC = "INSERT INTO topics (name, seq) VALUES ('Article/1', 1)"


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = Database(sqlite_url)
    await database.ask("SELECT 1")  # connected
    yield database
    await database.close()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that aiosqlite runs on the threads of its connections."""
    names: list[str] = []
    execute: Any = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, function: Any, *arguments: Any, **options: Any) -> Any:
        names.append(function.__name__)
        return await execute(self, function, *arguments, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return names


async def test_each_statement_of_a_reader_is_one_call_to_the_thread(database: Database, calls: list[str]) -> None:
    async with database.reading() as session:
        for _ in range(3):
            assert (await session.execute(text("SELECT value FROM epochs"))).all()
    assert calls == ["_execute_fetchall"] * 3


# -- functions in a thread ------------------------------------------------------------------------------------

EPOCH = text("SELECT value FROM epochs")


async def test_a_function_that_reads_runs_in_one_thread_with_the_context_of_its_caller(
    database: Database, calls: list[str]
) -> None:
    logs.begin("alice's")

    async def read(connection: Any) -> tuple[set[str], str]:
        used = set()
        for _ in range(3):
            assert (await connection.execute(EPOCH)).all()
            used.add(threading.current_thread().name)
        return used, logs.known("request")

    for reading in (database.read, database.load):
        (thread,), request = await reading(read)
        assert thread.startswith("sqlite")
        assert request == "alice's"
    assert calls == []


async def test_objects_that_were_loaded_in_a_thread_stay_usable(database: Database) -> None:
    epoch = await database.load(lambda session: session.scalar(select(Epoch)))
    assert epoch
    assert epoch.value == await database.ask("SELECT value FROM epochs")


async def test_a_function_that_awaits_anything_but_the_database_fails_at_once(database: Database) -> None:
    async def wait(connection: Any) -> None:
        await connection.execute(EPOCH)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits something else"):
        await database.read(wait)
    assert (await database.read(lambda connection: connection.execute(EPOCH))).all()


async def test_functions_that_fail_use_up_no_connections(database: Database) -> None:
    for _ in range(2 * app_database.SQLITE_READERS):
        with pytest.raises(OperationalError, match="no such table"):
            await database.read(lambda connection: connection.execute(text("SELECT * FROM missing")))
    assert database.errors["OperationalError"] == 2 * app_database.SQLITE_READERS
    assert (await database.read(lambda connection: connection.execute(EPOCH))).all()
    assert database.in_use == 0


async def test_a_reader_that_waits_too_long_for_a_thread_finds_the_database_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_database, "SQLITE_LOCK_TIMEOUT_SECONDS", 0.01)
    database, may_end = Database(sqlite_url), threading.Event()

    async def read_slowly(_: Any) -> None:
        may_end.wait()

    busy = [asyncio.create_task(database.read(read_slowly)) for _ in range(app_database.SQLITE_READERS)]
    await asyncio.sleep(0)
    with pytest.raises(app_database.Unavailable):
        await database.read(lambda connection: connection.execute(EPOCH))
    may_end.set()
    await asyncio.gather(*busy)
    await database.close()


async def test_a_database_closes_after_the_functions_that_run(database: Database) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), []

    async def read_slowly(connection: Any) -> None:
        begun.set()
        may_end.wait()
        ended.append((await connection.execute(EPOCH)).all())

    reading = asyncio.create_task(database.read(read_slowly))
    await wait_until(begun.is_set, "the function to run")
    reading.cancel()
    await asyncio.wait([reading])
    closing = asyncio.create_task(database.close())
    await asyncio.wait([closing], timeout=0.2)
    has_waited = not closing.done()
    may_end.set()
    await closing
    assert has_waited
    assert len(ended) == 1


# -- transactions ---------------------------------------------------------------------------------------------


async def test_a_transaction_is_a_begin_its_statements_and_a_commit(database: Database, calls: list[str]) -> None:
    async with database.transaction() as session, session.begin():
        await session.execute(text(TOPIC))
    assert calls == ["_execute_fetchall", "_execute_fetchall", "commit"]
    assert await database.ask("SELECT seq FROM topics") == 1


async def test_a_failed_transaction_leaves_no_rows_and_no_lock(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await _insert_twice(database)
    assert await database.ask("SELECT COUNT(*) FROM topics") == 0
    async with database.transaction() as session, session.begin():
        await session.execute(text(TOPIC))


async def test_a_transaction_that_is_cancelled_at_its_begin_leaves_no_lock(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Database(sqlite_url)
    monkeypatch.setattr(
        app_database, "SQLITE_LOCK_TIMEOUT_SECONDS", 0.2
    )  # the thread of a cancelled writer waits as long
    database = Database(sqlite_url)
    async with other.transaction() as session:
        await session.execute(text(TOPIC))
        waiting = asyncio.create_task(_write(database))
        await wait_until(lambda: database.in_use == 1, "the writer to wait for the lock")
        waiting.cancel()
        await asyncio.wait([waiting])
        await session.rollback()
    await _write(database)
    await _write(other)
    await database.close()
    await other.close()


async def test_writers_of_a_process_write_in_the_order_in_which_they_came(database: Database) -> None:
    """SQLite's own lock is not fair: a writer polls for it, and may wait for seconds while later ones write."""
    wrote: list[int] = []

    async def write(number: int) -> None:
        async with database.transaction() as session, session.begin():
            await session.execute(text("UPDATE epochs SET value = 'x'"))
            wrote.append(number)

    async with database.transaction() as session, session.begin():
        await session.execute(text(TOPIC))
        waiting = []
        for number in range(5):
            waiting.append(asyncio.create_task(write(number)))
            await asyncio.sleep(0)
        assert database.in_use == 1, "a waiting writer uses no connection"
    await asyncio.gather(*waiting)
    assert wrote == [0, 1, 2, 3, 4]


async def test_a_writer_that_waits_too_long_finds_the_database_unavailable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database._writer, "_timeout", 0.01)
    async with database.transaction() as session, session.begin():
        await session.execute(text(TOPIC))
        with pytest.raises(app_database.Unavailable) as refused:
            await _write(database)
    assert app_database.is_unavailable(refused.value)
    await _write(database)


async def test_a_closed_database_has_no_thread_that_still_connects(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread would report its outcome to an event loop that may be closed."""
    threads: list[threading.Thread] = []
    may_open = threading.Event()
    may_open.set()
    open_file = sqlite3.connect

    def open_slowly(*arguments: Any, **options: Any) -> sqlite3.Connection:
        threads.append(threading.current_thread())
        may_open.wait()
        return open_file(*arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", open_slowly)
    database = Database(sqlite_url)
    threads.clear()  # it has prepared the file
    may_open.clear()
    connecting = asyncio.create_task(database.ask("SELECT 1"))
    await wait_until(lambda: bool(threads), "the thread to connect")
    connecting.cancel()
    await asyncio.wait([connecting])
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    may_open.set()
    await closing
    assert not threads[0].is_alive()


async def test_a_statement_that_is_cancelled_twice_leaves_no_task(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second cancellation stops the connection while the first one closes it."""
    running, may_end = threading.Event(), threading.Event()
    execute = sqlite._FetchingConnection.execute

    def execute_slowly(self: Any, sql: str, parameters: Any = ()) -> Any:
        running.set()
        may_end.wait()
        return execute(self, sql, parameters)

    monkeypatch.setattr(sqlite._FetchingConnection, "execute", execute_slowly)
    known = asyncio.all_tasks()
    asking = asyncio.create_task(database.ask("SELECT 1"))
    await wait_until(running.is_set, "the statement")
    asking.cancel()
    await wait_until(lambda: len(asyncio.all_tasks() - known) == 2, "the connection to close")
    asking.cancel()
    await asyncio.wait([asking])
    may_end.set()
    await wait_until(lambda: asyncio.all_tasks() == known, "the end of all tasks")


async def _insert_twice(database: Database) -> None:
    async with database.transaction() as session, session.begin():
        await session.execute(text(TOPIC))
        await session.execute(text(TOPIC))


async def _write(database: Database) -> None:
    async with database.transaction() as session, session.begin():
        await session.execute(text("UPDATE epochs SET value = 'x'"))


async def test_rows_counts_and_ids_are_those_of_the_statement(database: Database) -> None:
    async with database.transaction() as session, session.begin():
        await session.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)"))
        many = [{"name": name} for name in "abc"]
        assert (await session.execute(text("INSERT INTO things (name) VALUES (:name)"), many)).rowcount == 3  # type: ignore[attr-defined]
        one: Any = await session.execute(text("INSERT INTO things (name) VALUES ('d')"))
        assert (one.rowcount, one.lastrowid) == (1, 4)
        changed: Any = await session.execute(text("UPDATE things SET name = 'e' WHERE id > 2 RETURNING id, name"))
        assert list(changed.keys()) == ["id", "name"]
        assert changed.all() == [(3, "e"), (4, "e")]
        assert not (await session.execute(text("SELECT id FROM things WHERE id > 4"))).all()
