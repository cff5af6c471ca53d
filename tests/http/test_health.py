"""Health checks of load balancers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.http import health
from tests.support.people import person, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.redis import RedisServer
    from tests.support.serving import Site


pytestmark = pytest.mark.sqlite_only


async def test_a_service_is_alive_and_ready(guest: httpx.AsyncClient) -> None:
    alive = await guest.get("/healthz")
    assert alive.status_code == 200

    async def ready() -> bool:
        response = await guest.get("/readyz")
        assert response.status_code == 200
        states = response.json()
        redis = states.pop("redis")
        assert states == {"status": "ready", "database": "up", "migrations": "up to date", "mail": "kept"}
        return bool(redis == "up")

    await wait_until(ready, "Redis")


@pytest.mark.parametrize("database", ["sqlite+aiosqlite:///{}", "postgresql+asyncpg://postgres@/parley?host={}"])
async def test_a_service_without_its_database_is_alive_and_not_ready(
    settings: Settings, tmp_path: Path, database: str
) -> None:
    from app.main import create_app
    from tests.support.serving import serving

    away = settings.model_copy(update={"database_url": database.format(tmp_path)})
    async with serving(create_app(away)) as site, site.client() as guest:
        assert (await guest.get("/healthz")).status_code == 200
        response = await guest.get("/readyz")
        assert response.status_code == 503
        assert response.json()["database"].startswith("down")
        assert response.json()["migrations"] == response.json()["mail"] == "unknown"


async def test_a_service_without_redis_is_ready_and_serves(settings: Settings, redis_server: RedisServer) -> None:
    from app.main import create_app
    from tests.support.serving import serving

    own = settings.model_copy(update={"redis_url": redis_server.url})
    async with serving(create_app(own)) as site, person(site, "Alice") as alice:

        async def redis() -> str:
            response = await alice.get("/readyz")
            assert response.status_code == 200
            return str(response.json()["redis"])

        async def is_up() -> bool:
            return await redis() == "up"

        async def is_down() -> bool:
            return await redis() == "down"

        await wait_until(is_up, "Redis")
        redis_server.kill()
        await wait_until(is_down, "the loss of Redis to be noticed")
        await write(alice, "Nobody waits for Redis")
        redis_server.restart()
        await wait_until(is_up, "Redis again")


async def test_a_service_starts_without_redis(settings: Settings, tmp_path: Path) -> None:
    from app.main import create_app
    from tests.support.serving import serving

    nowhere = settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nowhere.sock"})
    async with serving(create_app(nowhere)) as site, person(site, "Alice") as alice:
        states = (await alice.get("/readyz")).json()
        assert (states["status"], states["database"], states["redis"]) == ("ready", "up", "down")
        await write(alice, "Nobody waits for Redis")


@pytest.mark.parametrize(
    ("schema", "status", "found"),
    [("0001", 503, "behind"), ("9999", 200, "ahead")],
    ids=["of an older release", "of a newer release"],
)
async def test_the_check_says_whether_the_schema_is_current(
    site: Site, site_parley: Parley, guest: httpx.AsyncClient, schema: str, status: int, found: str
) -> None:
    async with site_parley.database.transaction() as writing, writing.begin():
        await writing.execute(text("UPDATE alembic_version SET version_num = :schema"), {"schema": schema})
    response = await guest.get("/readyz")
    assert (response.status_code, response.json()["database"], response.json()["migrations"]) == (status, "up", found)


async def test_the_schema_of_an_empty_database_is_behind(settings: Settings, tmp_path: Path) -> None:
    from app.main import create_app
    from tests.support.serving import serving

    empty = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{tmp_path}/empty.db"})
    async with serving(create_app(empty)) as site, site.client() as guest:
        response = await guest.get("/readyz")
        assert response.status_code == 503
        assert (response.json()["database"], response.json()["migrations"]) == ("up", "behind")


async def test_the_check_counts_waiting_mail_and_stays_ready(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.main import create_app
    from tests.support.serving import serving

    monkeypatch.setattr(health, "LATE_MAIL_SECONDS", -1)
    async with serving(create_app(production)) as site, site.client() as guest:
        response = await guest.get("/readyz")
        assert (response.status_code, response.json()["mail"]) == (200, "late (0 waiting)")
        monkeypatch.setattr(health, "LATE_MAIL_SECONDS", 600)
        await guest.post("/api/resets", json={"email": "alice@example.com"})
        assert (await guest.get("/readyz")).json()["mail"] == "up"
