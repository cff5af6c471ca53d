"""Runs migrations on the database of the settings, or on the one that `app.database.migrate` names."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

import app.models  # noqa: F401  (the models are what the schema is checked against)
from app.database import Base
from app.settings import Settings


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Two that migrate at once: the second waits here, then finds nothing left to do.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(712074)")
        context.run_migrations()


async def run_online() -> None:
    url = context.config.attributes.get("url") or Settings.load().database_url
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


asyncio.run(run_online())
