"""The database: SQLite or PostgreSQL behind one engine, opened for reading or for writing.

1. On SQLite, writers use BEGIN IMMEDIATE. With plain BEGIN, a transaction that reads first and then writes fails with
   "database is locked".
2. Readers open no transaction: each statement has a snapshot of its own, so read the counter first. This saves two
   round trips to PostgreSQL, or two switches to the thread of an SQLite connection (`app.sqlite`).
3. On PostgreSQL, writers run at READ COMMITTED. The row locks of the counters provide the order, and stricter levels
   would only add failures under contention.
4. SQLite allows one writer. Its busy handler polls for the lock and is not fair, so the writers of a process wait for
   each other in a queue, and only the first one asks SQLite.
5. Each await of a statement on SQLite costs a switch to a thread and back, and then a turn of the event loop. So
   frequent reads and writes run in a thread as one function each (`read`, `load`, `run_transaction`).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    ExceptionContext,
    MetaData,
    QueuePool,
    TypeDecorator,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app import sqlite
from app.settings import MIGRATIONS, VAR

if TYPE_CHECKING:
    from alembic.config import Config

Reading = AsyncSession  # from `reading()`
Writing = AsyncSession  # from `transaction()`

# The errors of a database that cannot be reached, is full or too slow: the caller may retry later.
Unavailable = (OperationalError, PoolTimeout, OSError)  # asyncpg does not wrap the errors of the operating system

DATABASE_ERRORS = (*Unavailable, DBAPIError)  # a DBAPIError may be such an error; `is_unavailable` decides

BROKEN_FILE_ERRORS = ("SQLITE_NOTADB", "SQLITE_CORRUPT")  # SQLite's error names for a file that is no valid database

# SQLSTATE classes with the same meaning, because asyncpg's errors are never an OperationalError: no connection, idle
# for too long, read-only (as after a failover), deadlock or serialization failure, out of resources, object not in the
# required state, stopped by an operator or by a limit.
UNAVAILABLE_SQLSTATES = ("08", "25006", "25P03", "40", "53", "55", "57")

# SQLSTATE classes of a refused connection: wrong password, no such database.
ACCESS_DENIED_SQLSTATES = ("28", "3D")

SQLITE_SIDE_FILES = ("-wal", "-shm", "-journal")  # files beside the database file that hold parts of its data
SQLITE_LOCK_TIMEOUT_SECONDS = 10  # that a writer waits for the writers of this process, and then for another process
POSTGRES_STATEMENT_TIMEOUT = "10s"  # the server stops longer statements, so that none of them holds a counter
POSTGRES_RESPONSE_TIMEOUT_SECONDS = 15  # until a connection without any response is closed
POOL_TIMEOUT_SECONDS = 10  # that a caller waits for a connection of the pool
POOL_SIZE = 10  # connections that a process keeps; it may open as many again for a short time
SQLITE_READERS = 4  # threads for `read` and `load`; more would wait for the GIL


log = logging.getLogger(__name__)

R = TypeVar("R")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(TypeDecorator[datetime]):
    """A time with its zone. SQLite does not store zones, so all values are converted to UTC, in both directions."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class Schema(StrEnum):
    """The state of a database's schema, compared with this release."""

    CURRENT = "up to date"
    BEHIND = "behind"  # it must be migrated
    AHEAD = "ahead"  # a newer release has migrated it; this release can still serve from it

    @classmethod
    def of(cls, at: str | None, known: list[str]) -> Schema:
        """The state of a database at the migration `at`, for a release with the migrations `known`, newest first."""
        if at == known[0]:
            return cls.CURRENT
        return cls.BEHIND if at is None or at in known else cls.AHEAD


class Database:
    """One engine. `reading()` and `transaction()` provide a session for the duration of a block."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        # Errors are logged, and logs must not contain stored values.
        self._sqlite = _sqlite_connector(url) if self.is_sqlite else None
        options = _sqlite_options(self._sqlite) if self._sqlite else _postgres_options()
        self._engine = create_async_engine(url, hide_parameters=True, **options)
        self.errors: Counter[str] = Counter()  # of statements since the start, by class name
        event.listen(self._engine.sync_engine, "handle_error", self._count)
        if self.is_sqlite:
            sqlite.listen(self._engine.sync_engine)
        options = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}  # (2)
        self._reading = self._engine.execution_options(**options)
        self._readers = async_sessionmaker(self._reading, expire_on_commit=False, autoflush=False)
        immediate = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")  # (1)
        self._writers = async_sessionmaker(immediate, expire_on_commit=False, autoflush=False)
        self._reader = self._open_threads(url, SQLITE_READERS)
        # Its turns are those of all writers (4).
        self._writer = self._open_threads(url, 1, sqlite_begin="BEGIN IMMEDIATE")
        self._threads = [threads for threads in (self._reader, self._writer) if threads]

    def _open_threads(self, url: str, number: int, **options: str) -> sqlite.Threads | None:
        """Threads of an SQLite database; None for PostgreSQL."""
        if not self.is_sqlite:
            return None
        threads = sqlite.Threads(url, number, SQLITE_LOCK_TIMEOUT_SECONDS, **options)
        event.listen(threads.engine, "handle_error", self._count)
        return threads

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for SELECTs. It is released at the end of the block; loaded objects stay usable after it."""
        async with self._readers() as session:
            try:
                yield session
            finally:
                # Closing rolls back, which would expire the loaded objects.
                session.expunge_all()

    async def read(self, work: Callable[[AsyncConnection], Awaitable[R]]) -> R:
        """Run a function of SELECTs of columns. A session and its objects would cost as much CPU as the statements.

        The function must await nothing but its statements: on SQLite it runs in a thread (5).
        """
        if self._reader:
            return await self._reader.read(work)
        async with self._reading.connect() as connection:
            return await work(connection)

    async def load(self, work: Callable[[AsyncSession], Awaitable[R]]) -> R:
        """Like `read`, with a session for SELECTs of objects; see `reading`."""
        if self._reader:
            return await self._reader.load(work)
        async with self.reading() as session:
            return await work(session)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that takes the write lock at its first statement. Used by `writing`, which keeps seqs in order."""
        async with self._writer.turn() if self._writer else nullcontext(), self._writers() as session:
            yield session

    async def run_transaction(self, work: Callable[[Connection], R]) -> R:
        """Run a function of plain statements in one write transaction. It commits unless the function raises.

        On SQLite the function runs in a thread (5).
        """
        if self._writer:
            return await self._writer.write(work)
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    @property
    def in_use(self) -> int:
        """The number of connections in use."""
        return self._pool.checkedout() + sum(threads.in_use for threads in self._threads)

    @property
    def idle(self) -> int:
        """The number of unused connections that are open."""
        return self._pool.checkedin() + sum(threads.idle for threads in self._threads)

    @property
    def max_connections(self) -> int:
        """The maximum number of connections. Above it, a caller waits, and fails after `POOL_TIMEOUT_SECONDS`."""
        return 2 * POOL_SIZE + (SQLITE_READERS + 1 if self.is_sqlite else 0)

    @property
    def _pool(self) -> QueuePool:
        return cast(QueuePool, self._engine.pool)

    def _count(self, context: ExceptionContext) -> None:
        self.errors[type(context.sqlalchemy_exception or context.original_exception).__name__] += 1

    async def ask(self, statement: str) -> Any:
        """The single value of this SQL statement; for diagnosis (`parley doctor`) and tests."""
        async with self.reading() as session:
            return await session.scalar(text(statement))

    async def schema(self) -> Schema:
        """Whether the schema is this release's."""
        known = await asyncio.to_thread(known_migrations)  # the first call loads them and Alembic
        return Schema.of(await self.migration(), known)

    async def migration(self) -> str | None:
        """The revision of the schema; None before the first migration."""
        from alembic.migration import MigrationContext

        async with self.reading() as session:
            connection = await session.connection()
            return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())

    async def require_current_schema(self) -> None:
        """Raise Unmigrated unless the schema is up to date with this release."""
        if await self.schema() is not Schema.CURRENT:
            at, newest = await self.migration(), known_migrations()[0]
            raise Unmigrated(f"The database has {at or 'no schema'}, and this release needs {newest}: parley migrate")

    async def close(self) -> None:
        """Close all connections. A statement that was cancelled may still run; this waits for it."""
        await self._engine.dispose()
        if self._sqlite:
            await self._sqlite.wait_for_closed_connections()
        for threads in self._threads:
            await asyncio.to_thread(threads.close)


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether a statement has waited longer for a lock than PostgreSQL's `lock_timeout`."""
    return getattr(error.orig, "sqlstate", None) == "55P03"


def is_unavailable(error: BaseException) -> bool:
    """Whether the cause of `error` is an unavailable or overloaded database, and not a bug."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return (
            isinstance(error, OperationalError)
            or error.connection_invalidated
            or state.startswith(UNAVAILABLE_SQLSTATES)
        )
    # A missing template is an OSError, too, but it is a bug.
    return isinstance(error, Unavailable) and not isinstance(error, LookupError)


def one_line(error: BaseException) -> str:
    """The error in one line for a log: SQLAlchemy's messages have many lines, and a TimeoutError has no message."""
    return str(error).partition("\n")[0] or type(error).__name__


def log_error(log: logging.Logger, error: Exception, doing: str) -> None:
    """Log an error in work that continues: an unavailable database as one line, a bug with its stack."""
    if is_unavailable(error):
        log.warning("%s: %s", doing, one_line(error))
    else:
        log.error("%s", doing, exc_info=error)


def operator_message(error: Exception) -> str | None:
    """The message for an operator, if the operator can fix the cause of this error; None if it is a bug."""
    cause = (error.orig if isinstance(error, DBAPIError) else None) or error
    not_let_in = (getattr(cause, "sqlstate", None) or "").startswith(ACCESS_DENIED_SQLSTATES)
    not_a_database = getattr(cause, "sqlite_errorname", None) in BROKEN_FILE_ERRORS
    return one_line(cause) if is_unavailable(error) or not_let_in or not_a_database else None


class Unmigrated(Exception):
    """The schema is not that of this release. The message says which one it is, and what to do."""


def migrate(url: str) -> list[str]:
    """Migrate the schema at `url` to this release. Returns one line for each migration. Raises Unmigrated.

    Blocking: do not call it in the thread of an event loop.
    """
    from alembic import command
    from alembic.util import CommandError

    config = _migrations()
    done = config.attributes["done"] = []
    config.attributes["url"] = url
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unmigrated(f"The schema is a later release's, or none of ours: {one_line(error)}.") from None
    return done


@cache
def known_migrations() -> list[str]:
    """The revisions of this release's migrations, the newest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(_migrations()).walk_revisions()]


def _migrations() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def prepare_file(url: str) -> None:
    """Create SQLite's file, readable only by its owner, and its directory, which SQLite does not create. Use WAL.

    If others may read the file or VAR, their access is removed: the database holds addresses and password hashes.
    SQLite gives its -wal and -shm files the mode of the database file.
    """
    if not (file := file_of(url)):
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():  # closing a file releases the locks of all its connections in this process
        with suppress(OSError):  # SQLite reports the error when it opens the file
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    for name in (file.name, *(file.name + end for end in SQLITE_SIDE_FILES)):
        _tighten(file.with_name(name), 0o600)
    if file.parent == VAR:
        _tighten(VAR, 0o700)
    if file.is_file():
        sqlite.use_wal(file, SQLITE_LOCK_TIMEOUT_SECONDS)


def _tighten(place: Path, mode: int) -> None:
    """Remove the access of others to a file or a directory, but not to a device: all processes use /dev/null."""
    try:
        if (place.is_file() or place.is_dir()) and place.stat().st_mode & 0o077:
            place.chmod(mode)
    except OSError as error:
        log.warning("%s may be read by others, and its mode cannot be changed: %s", place, error.strerror)


def file_of(url: str) -> Path | None:
    """The path of an SQLite database; None for a database in memory, and for PostgreSQL."""
    path = make_url(url).database if url.startswith("sqlite") else None
    return Path(path) if path and path != ":memory:" else None


def _sqlite_connector(url: str) -> sqlite.Connector:
    prepare_file(url)
    parts = make_url(url)
    (file,), options = parts.get_dialect()().create_connect_args(parts)
    return sqlite.Connector(file, **options, timeout=SQLITE_LOCK_TIMEOUT_SECONDS, isolation_level=None)


def _sqlite_options(connector: sqlite.Connector) -> dict[str, Any]:
    return {"async_creator": connector.connect, "pool_size": POOL_SIZE, "max_overflow": POOL_SIZE}


def _postgres_options() -> dict[str, Any]:
    settings = {
        "application_name": "parley",
        "statement_timeout": POSTGRES_STATEMENT_TIMEOUT,
        "idle_in_transaction_session_timeout": "30s",
    }
    return {
        "connect_args": {
            "server_settings": settings,
            "timeout": 5,
            "command_timeout": POSTGRES_RESPONSE_TIMEOUT_SECONDS,
        },
        "pool_size": POOL_SIZE,
        "max_overflow": POOL_SIZE,
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        "pool_pre_ping": False,
        "pool_use_lifo": True,
    }
