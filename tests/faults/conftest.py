"""Servers that belong to one test or module, which may kill them, pause them and fill them up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.serving import Site, serving

if TYPE_CHECKING:
    from app.settings import Settings

SWEEP_SECONDS = 0.5


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that no other module uses."""
    from tests.support import leftovers

    with leftovers.keep_running():
        server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def migrated_postgres(own_postgres: PostgresServer) -> str:
    """The name of a database on this server that has the schema and no rows, to copy."""
    from tests.conftest import migrate_in_thread

    name = own_postgres.create()
    migrate_in_thread(own_postgres.url(name))
    return name


@pytest.fixture
def postgres_url(own_postgres: PostgresServer, migrated_postgres: str) -> Iterator[str]:
    """A fresh, migrated database on this server."""
    name = own_postgres.create(migrated_postgres)
    own_postgres.keep_commits(name)
    yield own_postgres.url(name)
    own_postgres.resume()
    own_postgres.drop(name)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A Redis that only this test uses."""
    return redis_server.url


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """A site that sweeps often and has no rate limits."""
    from app.main import create_app

    app = create_app(settings.model_copy(update={"sweep_seconds": SWEEP_SECONDS, "rate_limits": False}))
    async with serving(app) as site:
        yield site
