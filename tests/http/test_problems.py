"""Refusals: a problem document for programs, a page for people, and the right status."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.settings import Settings
from tests.support.front_end import static
from tests.support.people import ARTICLE, email_of, person, write
from tests.support.problems import read_problem
from tests.support.serving import serving

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site

METHODS = {
    "/": {"GET", "HEAD"},
    "/healthz": {"GET", "HEAD"},
    "/readyz/": {"GET", "HEAD"},
    "/streams": {"GET", "HEAD"},
    "/api/users": {"GET", "HEAD", "POST"},
    "/api/session/": {"GET", "HEAD", "POST", "DELETE"},
    "/api/comments": {"GET", "HEAD", "POST"},
    "/api/comments/": {"GET", "HEAD", "POST"},
    "/api/comments/1": {"GET", "HEAD", "PUT", "PATCH", "DELETE"},
    "/Article/1": {"GET", "HEAD", "POST"},
    static("css/app.css"): {"GET", "HEAD"},
}


@pytest.fixture
def site(shared_site: Site) -> Site:
    return shared_site


@pytest.mark.parametrize("path", METHODS)
async def test_a_refused_method_names_the_allowed_ones(guest: httpx.AsyncClient, path: str) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"} - METHODS[path]:
        response = await guest.request(method, path)
        assert response.status_code == 405, method
        assert {name.strip() for name in response.headers["allow"].split(",")} == METHODS[path]
        if method != "HEAD":
            read_problem(response, 405)


NOWHERE = {
    "nothing": "/nothing",
    "the API": "/api",
    "nothing in the API": "/api/nothing",
    "a type without an id": "/Article",
    "an unknown type": "/Planet/1",
    "a type in small letters": "/article/1",
    "an id with a NUL": "/Article/%00",
    "an id of 201 characters": "/Article/" + "x" * 201,
    "not UTF-8": "/%FF/%FF",
    "below the streams": "/streams/1",
    "no such file": "/static/none.js",
    "a file that is not for all": "/static/..%2f..%2fpyproject.toml",
    "a file with a NUL": "/static/%00",
    "a file with a long name": "/static/" + "x" * 5_000,
}


@pytest.mark.parametrize("path", NOWHERE.values(), ids=NOWHERE.keys())
async def test_an_unknown_path_is_not_found(guest: httpx.AsyncClient, path: str) -> None:
    read_problem(await guest.get(path), 404)
    head = await guest.head(path)
    assert (head.status_code, head.content) == (404, b"")


async def test_a_browser_gets_a_page_instead_of_a_problem_document(guest: httpx.AsyncClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = await guest.get("/Planet/1", headers=browser)
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "Page not found." in response.text


async def test_problems_are_not_stored_by_caches(guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/nothing")).headers["cache-control"] == "no-store"


# -- the database is away -----------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
async def without_database(
    request: pytest.FixtureRequest, redis_url: str, channel: str, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A guest at a site whose database is unreachable."""
    from app.main import create_app

    away = {
        "sqlite": f"sqlite+aiosqlite:///{tmp_path}",  # a directory
        "postgresql": f"postgresql+asyncpg://postgres@/parley?host={tmp_path}",  # no socket in it
    }
    settings = Settings(
        _env_file=None, database_url=away[request.param], redis_url=redis_url, redis_channel_name=channel
    )
    async with serving(create_app(settings)) as site, site.client() as guest:
        yield guest


async def test_people_are_asked_to_retry_without_a_database(without_database: httpx.AsyncClient) -> None:
    guest = without_database
    form = {"email": email_of("Alice"), "username": "Alice", "password": "talk among friends"}
    for response in (
        await guest.get("/api/comments/", params=ARTICLE),
        await guest.get(f"/api/comments/{uuid4()}"),
        await guest.post("/api/users", json=form),
        await guest.post("/api/session", json=form),
        await guest.get("/Article/1"),
        await guest.get("/"),
    ):
        read_problem(response, 503)
        assert 0 < int(response.headers["retry-after"]) <= 60
        assert "sql" not in response.text.lower()


async def test_a_stream_without_a_database_ends_with_a_retry_time(without_database: httpx.AsyncClient) -> None:
    """Any status but 200 would end an EventSource for good."""
    response = await without_database.get("/streams", params={"topic": "Article/1"})
    assert response.status_code == 200
    assert response.text.startswith("retry: ")
    assert "event:" not in response.text


async def end_connections(postgres_url: str) -> None:
    """End all connections, as a restart of the database does."""
    from app.database import Database

    database = Database(postgres_url)
    async with database.reading() as reading:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        await reading.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    await database.close()


async def test_a_lost_connection_costs_one_request_at_most(postgres_url: str, redis_url: str, channel: str) -> None:
    from app.main import create_app

    settings = Settings(_env_file=None, database_url=postgres_url, redis_url=redis_url, redis_channel_name=channel)
    async with serving(create_app(settings)) as site, person(site, "Alice") as alice:
        comment = await write(alice, "Kept")
        await end_connections(postgres_url)
        first = await alice.get(f"/api/comments/{comment['id']}")
        assert first.status_code == 200 or read_problem(first, 503)
        assert (await alice.get(f"/api/comments/{comment['id']}")).json() == comment
