"""Migrations make what the models say, on both databases, and can be taken back."""

from __future__ import annotations

import asyncio
import sys

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

import app.models  # noqa: F401  (the metadata is theirs)
from app.database import Base
from app.settings import ROOT


async def test_the_schema_is_what_the_models_say(database_url: str) -> None:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == []
        assert len((await connection.execute(text("SELECT value FROM epochs"))).all()) == 1
    await engine.dispose()


async def test_two_who_migrate_at_once_do_not_meet(database_url: str) -> None:
    await asyncio.to_thread(command.downgrade, _config(database_url), "base")
    script = f"from app.database import migrate; migrate({database_url!r})"
    both = [await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT) for _ in range(2)]
    assert [await process.wait() for process in both] == [0, 0]


async def test_migrations_can_be_taken_back(database_url: str) -> None:
    await asyncio.to_thread(command.downgrade, _config(database_url), "base")
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    assert tables == ["alembic_version"]


def _config(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config
