"""SQLite connections that use their thread once per statement, or once per function. Only this module uses aiosqlite.

aiosqlite runs every call on a thread of the connection, and each call costs two switches between threads, about 0.1 ms
of CPU. SQLAlchemy makes four calls for a statement: `cursor`, `execute`, `fetchall` and `close`. Here they are one.

1. `_Cursor.execute` executes the statement, fetches all rows and closes the cursor on the thread. The other methods
   read the outcome, on the event loop. There are no server-side cursors (`AsyncSession.stream`).
2. A rollback goes to the thread only if a BEGIN did. SQLAlchemy rolls back every connection that it takes back. The
   flag is set before BEGIN is sent, so a cancelled BEGIN is rolled back, too.
3. A cancelled call goes on in its thread, and its outcome goes to the event loop. So the loop must stay open until the
   threads have ended.
4. `Threads` runs a whole function in a thread. A function for reading is a coroutine function that is used with
   PostgreSQL, too. In a thread its statements do not suspend it, so it ends at its first step. If it awaits anything
   else, it fails.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast
from weakref import WeakSet

import aiosqlite
from sqlalchemy import Connection as BlockingConnection
from sqlalchemy import Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.orm import Session as BlockingSession

ITERATION_ROWS = 64  # aiosqlite's default for iterating over a cursor, which nothing here does
RETRY_SECONDS = 0.01

R = TypeVar("R")
T = TypeVar("T")


class Threads:
    """A few threads with a connection each. A function in them may use the context variables of its caller (4).

    `timeout`: seconds that a function waits for a thread, and then for SQLite's lock.
    """

    def __init__(self, url: str, number: int, timeout: float, **options: Any) -> None:
        connection = {"timeout": timeout, "isolation_level": None, "check_same_thread": False}
        own = make_url(url).set(drivername="sqlite")
        self.engine: Engine = create_engine(
            own, hide_parameters=True, connect_args=connection, pool_size=number, max_overflow=0
        ).execution_options(**options)
        listen(self.engine)
        self._timeout = timeout
        self._free = asyncio.Semaphore(number)
        self._executor = ThreadPoolExecutor(number, "sqlite")
        self._open: list[BlockingConnection] = []  # and unused: to check one out of the pool costs as much as a SELECT

    @property
    def in_use(self) -> int:
        return self._pool.checkedout() - len(self._open)

    @property
    def idle(self) -> int:
        return self._pool.checkedin() + len(self._open)

    @property
    def _pool(self) -> QueuePool:
        return cast(QueuePool, self.engine.pool)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a free thread. Raises TimeoutError."""
        async with asyncio.timeout(self._timeout):
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def write(self, work: Callable[[BlockingConnection], R]) -> R:
        """Run the function in a transaction, which commits unless the function raises."""
        return await self._run(self.engine.begin, work)

    async def read(self, work: Callable[[Any], Awaitable[R]]) -> R:
        """Run the coroutine function with a connection."""
        return await self._run(self._connection, lambda connection: _result_of(work(_WithoutWaiting(connection))))

    async def load(self, work: Callable[[Any], Awaitable[R]]) -> R:
        """Run the coroutine function with a session. The loaded objects stay usable."""
        return await self._run(self._session, lambda session: _result_of(work(_WithoutWaiting(session))))

    async def _run(self, opened: Callable[[], AbstractContextManager[T]], work: Callable[[T], R]) -> R:
        def run() -> R:
            with opened() as connection:
                return work(connection)

        async with self.turn():
            return await asyncio.get_running_loop().run_in_executor(self._executor, copy_context().run, run)

    @contextmanager
    def _connection(self) -> Iterator[BlockingConnection]:
        try:
            connection = self._open.pop()
        except IndexError:
            connection = self.engine.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._open.append(connection)

    @contextmanager
    def _session(self) -> Iterator[BlockingSession]:
        with self._connection() as connection:
            session = BlockingSession(connection, expire_on_commit=False, autoflush=False)
            try:
                yield session
            finally:
                session.expunge_all()  # closing rolls back, which would expire the loaded objects
                session.close()

    def close(self) -> None:
        """Wait for the functions that run, then close the connections."""
        self._executor.shutdown()
        for connection in self._open:
            connection.close()
        self.engine.dispose()


class _WithoutWaiting:
    """A connection or a session whose methods can be awaited. The awaits end at once (4)."""

    def __init__(self, blocking: BlockingConnection | BlockingSession) -> None:
        self._blocking = blocking

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._blocking, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            return method(*arguments, **options)

        return call


def _result_of(awaitable: Awaitable[R]) -> R:
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return cast(R, end.value)
    raise RuntimeError("a function that reads the database awaits something else")


def listen(engine: Engine) -> None:
    """Prepare each connection of the engine. Begin transactions as its option `sqlite_begin` says."""
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)


def use_wal(file: Path, timeout: float) -> None:
    """Set the journal mode, which the file keeps, so that readers do not wait for a writer.

    A new file or a restored copy has another mode. Connections must not set it themselves: of two that do so at once,
    one fails with "database is locked", because SQLite does not wait for this lock. `timeout`: seconds to try again.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            with closing(sqlite3.connect(file, timeout=timeout, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.Error as error:
            busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > end:
                return  # the first statement has the same error, and its caller reports it
        time.sleep(RETRY_SECONDS)


def prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Any) -> None:
    if statement := connection.get_execution_options().get("sqlite_begin"):
        connection.exec_driver_sql(statement)


class Connector:
    """Opens connections to one database. `options` are those of `sqlite3.connect`."""

    def __init__(self, database: str, **options: Any) -> None:
        self._open = partial(sqlite3.connect, database, **options, factory=_FetchingConnection)
        self._connections: WeakSet[Connection] = WeakSet()

    async def connect(self) -> Connection:
        """A new connection, for `create_async_engine(async_creator=…)`."""
        connection = Connection(self._open, ITERATION_ROWS)
        self._connections.add(connection)
        # An unclosed connection must not keep the process alive. aiosqlite has no option for this
        # (https://github.com/omnilib/aiosqlite/issues/299), and SQLAlchemy does the same for its own connections.
        connection._thread.daemon = True
        return cast(Connection, await connection)

    async def wait_for_closed_connections(self) -> None:
        """Wait until the threads of all closed connections have ended (3)."""
        for connection in tuple(self._connections):
            if connection.is_closed:
                await asyncio.to_thread(connection._thread.join)


class Connection(aiosqlite.Connection):
    """The connection that SQLAlchemy's adapter for aiosqlite uses."""

    has_begun = False  # (2)
    is_closed = False
    _end: asyncio.Future[Any] | None = None

    def stop(self) -> asyncio.Future[Any] | None:
        """A connection may be stopped twice: SQLAlchemy does that if a cancelled call is cancelled again while the
        connection closes. The thread ends with the first one, so a second future of its own would never be done.
        """
        if not self.is_closed:
            self.is_closed, self._end = True, super().stop()
        return self._end

    def cursor(self) -> _Cursor:  # type: ignore[override]  # SQLAlchemy enters it, and does not await it
        return _Cursor(self)

    async def commit(self) -> None:
        await super().commit()
        self.has_begun = False

    async def rollback(self) -> None:
        if self.has_begun:
            await super().rollback()
            self.has_begun = False


class _Cursor:
    """The part of a cursor that SQLAlchemy uses."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        self._connection.has_begun |= sql.startswith("BEGIN")
        outcome = await self._connection.execute_fetchall(sql, parameters)
        self._rows, self.description, self.rowcount, self.lastrowid = cast(Any, outcome)

    async def executemany(self, sql: str, parameters: Any) -> None:
        async with self._connection.executemany(sql, parameters) as cursor:
            self.description, self.rowcount, self.lastrowid = None, cursor.rowcount, cursor.lastrowid

    async def fetchall(self) -> Sequence[Any]:
        return self._rows

    async def close(self) -> None:
        """Nothing is open (1)."""


class _FetchingConnection(sqlite3.Connection):
    """aiosqlite's `execute_fetchall` calls its `execute`, then `fetchall` of that cursor, in one call on the thread."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self.cursor(_FetchingCursor).execute(sql, parameters)


class _FetchingCursor(sqlite3.Cursor):
    def fetchall(self) -> Any:
        """(rows, description, row count, last row id). An UPDATE … RETURNING has its row count after the last row."""
        rows = super().fetchall()
        outcome = (rows, self.description, self.rowcount, self.lastrowid)
        self.close()
        return outcome
