"""The stage: real servers, provisioned once, and for each test a database and a channel of its own."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import random
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.settings import Settings
from tests.support import chromium, costs, leftovers
from tests.support.people import person
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.support.serving import Site

pytest_plugins = ["tests.support.site_fixtures"]

# The environment of a developer may have the settings of a real service.
for name in Settings.model_fields:
    os.environ.pop(name.upper(), None)


ASYNC_TEST_TIMEOUT_SECONDS = 120  # long, because the machine may be busy
EXTENDED_TEST_TIMEOUT_SECONDS = 600  # the searches and the crowds of `make test-all` take a minute on a quiet machine

GATE_SEED = 15
"""The seed of the order of the tests and of the fixture `seed`, without `--everything`."""

DATABASES = {
    "sqlite_only": ["sqlite"],
    "postgresql_only": ["postgresql"],
    "both_databases": ["sqlite", "postgresql"],
}
"""The kinds of database that a test with one of these marks runs on. The mark closest to the test counts."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--everything", action="store_true", help="run all tests, on both databases, with random seeds")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seeds before the plugins that use them read their options.

    One seed, which pytest prints, repeats a run: `--randomly-seed=N`. Hypothesis follows it with `--everything`; in the
    gate it derives its examples from each test's code instead.
    """
    everything, option = config.getoption("everything"), config.option
    if getattr(option, "randomly_seed", "default") == "default":  # there is none with `-p no:randomly`
        option.randomly_seed = random.Random().getrandbits(32) if everything else GATE_SEED
    if everything and option.hypothesis_seed is None:
        option.hypothesis_seed = option.randomly_seed
    hypothesis.settings.register_profile("everything", max_examples=250, print_blob=True)
    hypothesis.settings.register_profile("gate", max_examples=50, derandomize=True, database=None)
    hypothesis.settings.load_profile("everything" if everything else "gate")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs a database once for each kind of database that its marks ask for."""
    if "database_url" in metafunc.fixturenames:
        usual = "both_databases" if metafunc.config.getoption("everything") else "sqlite_only"
        marks = [mark.name for mark in metafunc.definition.iter_markers() if mark.name in DATABASES]
        kinds = DATABASES[marks[0] if marks else usual]
        if kinds != ["sqlite"]:  # the default of the fixture
            metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("everything"):
        extended = [item for item in items if item.get_closest_marker("extended")]
        config.hook.pytest_deselected(items=extended)
        items[:] = [item for item in items if not item.get_closest_marker("extended")]
    for item in items:
        if item.get_closest_marker("extended"):
            item.add_marker(pytest.mark.timeout(EXTENDED_TEST_TIMEOUT_SECONDS + 60))
    # Browser tests come last, so that Chromium does not slow down the others.
    items.sort(key=lambda item: "browser" in item.path.parts)


def pytest_collection_finish() -> None:
    """Exclude the objects of the collection phase from garbage collection, which would take most of a second."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Cancel an async test that hangs, so that it fails where it hangs and its fixtures are closed."""
    if inspect.iscoroutinefunction(test := pyfuncitem.obj):
        is_extended = pyfuncitem.get_closest_marker("extended")
        seconds = EXTENDED_TEST_TIMEOUT_SECONDS if is_extended else ASYNC_TEST_TIMEOUT_SECONDS

        @wraps(test)
        async def in_time(*args: Any, **options: Any) -> None:
            async with asyncio.timeout(seconds):
                await test(*args, **options)

        pyfuncitem.obj = in_time


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop of a real server, which also takes less CPU."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
def avoided_costs() -> Iterator[None]:
    """Avoid costs of each of the hundreds of apps that one test process starts."""
    with pytest.MonkeyPatch.context() as patch:
        costs.avoid_costs(patch)
        yield


@pytest.fixture(autouse=True)
def no_leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test if its tasks or processes still run after it."""
    if "anyio_backend" in request.fixturenames:
        request.getfixturevalue("no_leftover_tasks")
    known = leftovers.list_children()
    yield
    left = leftovers.list_new_children(known)
    assert not left, f"processes still running after the test: {left}"


@pytest.fixture
async def no_leftover_tasks() -> AsyncIterator[None]:
    known = asyncio.all_tasks()
    yield
    left = await leftovers.list_new_tasks(known)
    assert not left, f"tasks still pending after the test: {left}"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis that all tests share; each test has a channel of its own."""
    with leftovers.keep_running():
        server = RedisServer()
    yield server.url
    server.stop()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real Redis for one test, which may kill, pause, resume and restart it."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with leftovers.keep_running():
        server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> str:
    """The name of a database that has the schema and no rows, to copy."""
    name = postgres_server.create()
    migrate_in_thread(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "parley.db"
    migrate_in_thread(f"sqlite+aiosqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, migrated_postgres: str) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    name = postgres_server.create(migrated_postgres)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite file."""
    return f"sqlite+aiosqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'parley.db')}"


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database: SQLite, or of the kinds that the test's marks ask for (`DATABASES`)."""
    kind = getattr(request, "param", "sqlite")
    url: str = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The seed for random choices of a test: fixed in the gate, different in each run with `--everything`."""
    seed: int = pytestconfig.getoption("randomly_seed")
    return seed


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id at a low cost, for thousands of sign-ups; `tests/accounts/test_passwords.py` has the real cost."""
    from app.accounts import passwords

    monkeypatch.setattr(passwords, "_hasher", cheap_hasher)
    monkeypatch.setattr(passwords, "_dummy_hash", cheap_dummy_hash)


@cache
def cheap_hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


@cache
def cheap_dummy_hash() -> str:
    return cheap_hasher().hash("nobody has this password")


@pytest.fixture
def channel() -> str:
    return f"comments-{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def default_settings() -> Settings:
    """The default settings, parsed once, because parsing takes 4 ms."""
    return Settings(_env_file=None)


@pytest.fixture
def settings(default_settings: Settings, database_url: str, redis_url: str, channel: str) -> Settings:
    """Settings for one test, on each kind of database; a test changes them by `settings.model_copy(update={…})`.

    Sweeps are five minutes apart, so a change that arrives in a test has come by hint. Tests of sweeps set their own.
    """
    servers = {"database_url": database_url, "redis_url": redis_url, "redis_channel_name": channel}
    return default_settings.model_copy(update={**servers, "sweep_seconds": 300.0})


@pytest.fixture
async def parley(settings: Settings) -> AsyncIterator[Parley]:
    """The live engine, running, without HTTP."""
    from app.live.service import Parley
    from app.models import LIVE_MODELS

    async with Parley(settings, LIVE_MODELS) as parley:
        await wait_for_redis(parley)
        yield parley


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """The whole app, served over real HTTP in the test's own event loop."""
    from app.main import create_app
    from tests.support.serving import serving

    async with serving(app := create_app(settings)) as site:
        await wait_for_redis(app.state.parley)
        yield site


async def wait_for_redis(parley: Parley) -> None:
    """Wait for the subscription: redis-py may swallow a cancellation during its handshake, which costs 0.5 s."""
    await wait_until(lambda: parley.hints.flowing, "Redis")


@pytest.fixture
async def guest(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """The browser of a guest, who has not signed in."""
    async with site.client() as client:
        yield client


@pytest.fixture
async def alice(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Alice") as alice:
        yield alice


@pytest.fixture
async def bob(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Bob") as bob:
        yield bob


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    path = chromium.find()
    assert path, "No Chromium: `make browser` fetches one, or put chromium or google-chrome on PATH."
    return path


def migrate_in_thread(url: str) -> None:
    from app.database import migrate

    # In a thread, because Alembic's environment runs an event loop of its own.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(migrate, url).result()
