"""Costs that a test process avoids, because it starts hundreds of apps and a real process starts one.

1. Compiled SQL: SQLAlchemy compiles each statement once per engine, and each test has an engine of its own. They share
   one cache. A compiled statement depends on the kind of database only.
2. The files of the front end are read once, until their manifest changes.
3. redis-py reads its own version from the metadata of its package for each connection: here once.
4. httpcore tries to import sniffio for each request, and Python does not remember a failed import.
5. SQLite does not sync to disk, because no test cuts the power. A killed process still loses no commit.
6. uvicorn sleeps 100 ms at shutdown before it checks that its connections are closed: here 10 ms.

A busy machine must delay a test and not fail it, so a wait for the database may take a minute.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

STATEMENTS: dict[Any, Any] = {}
LONGEST_SLEEP_SECONDS = 0.01
DATABASE_WAIT_SECONDS = 60


def avoid_costs(patch: pytest.MonkeyPatch) -> None:
    """Avoid all these costs until `patch` is undone."""
    import redis.utils
    import uvicorn.server
    from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
    from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

    from app import database, sqlite
    from app.pages import assets

    for dialect in (
        PGDialect_asyncpg,
        SQLiteDialect_aiosqlite,
        SQLiteDialect_pysqlite,
    ):  # they are part of the cache's keys (1)
        patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
        patch.setattr(dialect, "__eq__", lambda self, other: type(self) is type(other))
    for module, name in ((database, "create_async_engine"), (sqlite, "create_engine")):
        patch.setattr(module, name, partial(getattr(module, name), execution_options={"compiled_cache": STATEMENTS}))
    patch.setattr(assets, "load", _by_manifest(assets.load))  # (2)
    patch.setattr(redis.utils, "get_lib_version", cache(redis.utils.get_lib_version))  # (3)
    if find_spec("sniffio") is None:
        patch.setitem(sys.modules, "sniffio", None)  # (4)
    patch.setattr(sqlite, "prepare", _without_waiting(sqlite.prepare))  # (5)
    patch.setattr(uvicorn.server, "asyncio", ShortSleeps())  # (6)
    for name in ("SQLITE_LOCK_TIMEOUT_SECONDS", "POSTGRES_RESPONSE_TIMEOUT_SECONDS", "POOL_TIMEOUT_SECONDS"):
        patch.setattr(database, name, DATABASE_WAIT_SECONDS)
    patch.setattr(database, "POSTGRES_STATEMENT_TIMEOUT", f"{DATABASE_WAIT_SECONDS}s")


class ShortSleeps:
    """The module asyncio, with a `sleep` of `LONGEST_SLEEP_SECONDS` at most."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))


def _by_manifest(load: Callable[[Path], Any]) -> Callable[[Path], Any]:
    from app.pages.assets import MANIFEST

    @cache
    def loaded(directory: Path, _manifest: bytes) -> Any:
        return load(directory)

    def release(directory: Path) -> Any:
        manifest = directory / MANIFEST
        return loaded(directory, manifest.read_bytes()) if manifest.exists() else load(directory)

    return release


def _without_waiting(prepare: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def prepared(connection: Any, record: Any) -> None:
        prepare(connection, record)
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.close()

    return prepared
