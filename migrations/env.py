"""Runs migrations on the database of the settings, or on the one that `app.database.migrate` names.

A migrating process locks the database. A second process waits for the lock, and then finds nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Literal

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, event, pool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import app.models  # noqa: F401  (Alembic compares the schema with the models)
from app.database import Base, Instant, prepare_file
from app.settings import Settings

LOCK_KEY = 712_074  # of the advisory lock; arbitrary, but the same in every release


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_instant,
        on_version_apply=report_step,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        context.run_migrations()


def render_instant(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """The type of an Instant in a new migration. Migrations do not import the app. False: Alembic renders the item."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


def report_step(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Report a finished migration to `app.database.migrate`."""
    if "done" in context.config.attributes and isinstance(step.up_revision, Script):
        context.config.attributes["done"].append(f"{step.up_revision.revision}, {step.up_revision.doc}")


def engine_for(url: str) -> AsyncEngine:
    if not url.startswith("sqlite"):
        return create_async_engine(url, poolclass=pool.NullPool)
    prepare_file(url)
    # By default the driver commits before every CREATE, so a failed migration would be half applied.
    arguments = {"isolation_level": None, "timeout": 60}
    engine = create_async_engine(url, poolclass=pool.NullPool, connect_args=arguments)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


async def run_online() -> None:
    engine = engine_for(context.config.attributes.get("url") or Settings.load().database_url)
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(run_online())
