"""Alice and Bob in their browsers, and what goes on behind the page."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.people import person

if TYPE_CHECKING:
    import httpx

    from app.live.parley import Parley
    from tests.support.serving import Site


@pytest.fixture(autouse=True)
def passwords_cost_little(cheap_passwords: None) -> None:
    """Everybody here has an account."""


@pytest.fixture
async def alice(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Alice") as alice:
        yield alice


@pytest.fixture
async def bob(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Bob") as bob:
        yield bob


@pytest.fixture
def served(site: Site) -> Parley:
    """The site's own Parley: what its streams hang on."""
    parley: Parley = site.server.config.app.state.parley
    return parley


@pytest.fixture
def elsewhere(parley: Parley) -> Parley:
    """Another process's Parley on the same database and channel: a job, a script, a second server."""
    return parley


# For modules in which hundreds of requests are refused: one site for all, on SQLite, and one Alice. A module says
# `site = lasting_site` in a fixture of its own, and sees to it that no test shows in another.


@pytest.fixture(scope="module")
async def lasting_site(
    migrated_sqlite: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    from app.main import create_app
    from app.settings import Settings
    from tests.support.serving import serving

    path = shutil.copy(migrated_sqlite, tmp_path_factory.mktemp("lasting") / "parley.db")
    async with serving(
        create_app(Settings(_env_file=None, database_url=f"sqlite+aiosqlite:///{path}", redis_url=redis_url))
    ) as site:
        yield site


@pytest.fixture(scope="module")
async def lasting_alice(lasting_site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(lasting_site, "Alice") as alice:
        yield alice
