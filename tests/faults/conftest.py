"""Servers of one's own, to be killed, paused and filled up; and people who go on writing meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.serving import Site, serving

if TYPE_CHECKING:
    from app.settings import Settings

SWEEP_SECONDS = 0.5  # seconds


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A server that no other module needs."""
    from tests.support import leftovers

    with leftovers.keep_running():
        server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def migrated_postgres(own_postgres: PostgresServer) -> str:
    """The name of a database on it with the schema and nothing else, to copy."""
    from tests.conftest import migrate_in_thread

    name = own_postgres.create()
    migrate_in_thread(own_postgres.url(name))
    return name


@pytest.fixture
def postgres_url(own_postgres: PostgresServer, migrated_postgres: str) -> Iterator[str]:
    """A fresh, migrated database on it."""
    name = own_postgres.create(migrated_postgres)
    own_postgres.keep_what_is_committed(name)
    yield own_postgres.url(name)
    own_postgres.resume()
    own_postgres.drop(name)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A Redis of the test's own."""
    return redis_server.url


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """A site that sweeps often, and has no limits but those that the test puts it to."""
    from app.main import create_app

    app = create_app(settings.model_copy(update={"sweep_seconds": SWEEP_SECONDS, "rate_limits": False}))
    async with serving(app) as site:
        yield site
