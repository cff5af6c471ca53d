"""Fixtures for tests of a served site: its clock, its mailer, its Parley, and sites that many tests share."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.people import person

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site


class Clock:
    """The clock of signatures. Rows have times of their own, which tests edit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    @contextmanager
    def later(self, seconds: int) -> Iterator[None]:
        """Inside the block the clock is that many seconds ahead, or behind if the number is negative."""
        from itsdangerous import TimestampSigner

        now = TimestampSigner("any").get_timestamp()
        with self._monkeypatch.context() as then:
            then.setattr(TimestampSigner, "get_timestamp", lambda self: now + seconds)
            yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def fast_mailer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's own mailer polls its queue more often: for modules that wait for mail."""
    from app.mail import mailer

    monkeypatch.setattr(mailer, "POLL_SECONDS", 0.02)


@pytest.fixture
def production(sqlite_url: str, redis_url: str, channel: str) -> Settings:
    """Settings as an operator has them in production."""
    from app.settings import Settings

    return Settings(
        _env_file=None,
        environment="production",
        database_url=sqlite_url,
        redis_url=redis_url,
        redis_channel_name=channel,
        secret_key="a key of this test's own that is long enough",
        public_url="https://talk.example.com",
        smtp_url="smtp://127.0.0.1:1",
        mail_from="Parley <parley@talk.example.com>",
    )


@pytest.fixture
async def sqlite_site(sqlite_url: str, redis_url: str, channel: str) -> AsyncIterator[Site]:
    """A site on SQLite, for tests that do not depend on the kind of database."""
    from app.main import create_app
    from app.settings import Settings
    from tests.support.serving import serving

    settings = Settings(_env_file=None, database_url=sqlite_url, redis_url=redis_url, redis_channel_name=channel)
    async with serving(create_app(settings)) as site:
        yield site


@pytest.fixture
def site_parley(site: Site) -> Parley:
    """The site's own Parley, which serves its streams."""
    parley: Parley = site.state.parley
    return parley


@pytest.fixture
def other_parley(parley: Parley) -> Parley:
    """A second Parley on the same database and channel, as in another process."""
    return parley


# For modules with hundreds of refused requests: one site for all their tests, on SQLite, and one Alice. Such a module
# has a fixture `site` that returns `shared_site`, and its tests must not depend on each other.


@pytest.fixture(scope="module")
async def shared_site(
    migrated_sqlite: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    from app.main import create_app
    from app.settings import Settings
    from tests.support.serving import serving

    path = shutil.copy(migrated_sqlite, tmp_path_factory.mktemp("lasting") / "parley.db")
    settings = Settings(
        _env_file=None,
        database_url=f"sqlite+aiosqlite:///{path}",
        redis_url=redis_url,
        redis_channel_name=f"lasting-{uuid.uuid4().hex}",
    )
    async with serving(create_app(settings)) as site:
        yield site


@pytest.fixture(scope="module")
async def shared_alice(shared_site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(shared_site, "Alice") as alice:
        yield alice
