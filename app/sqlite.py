"""SQLite connections that use their thread once per statement. Only this module uses aiosqlite.

aiosqlite runs every call on a thread of the connection, and each call costs two switches between threads, about 0.1 ms
of CPU. SQLAlchemy makes four calls for a statement: `cursor`, `execute`, `fetchall` and `close`. Here they are one.

1. `_Cursor.execute` executes the statement, fetches all rows and closes the cursor on the thread. The other methods
   read the outcome, on the event loop. There are no server-side cursors (`AsyncSession.stream`).
2. A rollback goes to the thread only if a BEGIN did. SQLAlchemy rolls back every connection that it takes back. The
   flag is set before BEGIN is sent, so a cancelled BEGIN is rolled back, too.
3. A cancelled call goes on in its thread, and its outcome goes to the event loop. So the loop must stay open until the
   threads have ended.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Self, cast
from weakref import WeakSet

import aiosqlite

ITERATION_ROWS = 64  # aiosqlite's default for iterating over a cursor, which nothing here does


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
