"""Host names: another site can point its own name at this machine (DNS rebinding), so unknown names are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from app.http.middleware.host_names import NOT_OURS
from tests.support.people import email_of, read_json
from tests.support.problems import read_problem
from tests.support.serving import serving

if TYPE_CHECKING:
    import httpx

    from app.settings import Settings
    from tests.support.serving import Site

REBOUND = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "EVIL.example.",
           "[::1", "a b", "", "evil.example#localhost", "user@localhost"]  # fmt: skip
OURS = ["127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "192.168.1.7", "localhost", "LOCALHOST:8000", "talk.localhost",
        "localhost.", "test", "testserver", "parley_app:8000"]  # fmt: skip


@pytest.fixture
async def guest(shared_site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with shared_site.client() as guest:
        yield guest


pytestmark = pytest.mark.sqlite_only  # these tests do not depend on the database


@pytest.mark.parametrize("host", REBOUND)
async def test_a_host_name_that_others_can_register_is_refused(guest: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/dev/mail", "/api/session", "/streams?topic=Article/1", "/metrics", "/healthz"):
        problem = read_problem(await guest.get(path, headers={"Host": host}), 421)
        assert problem["detail"] == NOT_OURS
        assert "ALLOWED_HOSTS" in problem["detail"]


@pytest.mark.parametrize("host", OURS)
async def test_host_names_that_nobody_can_register_are_accepted(guest: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/dev/mail", "/api/session"):
        assert (await guest.get(path, headers={"Host": host})).status_code == 200


async def test_the_operator_decides_which_host_names_are_accepted(settings: Settings) -> None:
    from app.main import create_app

    named = settings.model_copy(
        update={"public_url": "https://talk.example.com/talk", "allowed_hosts": frozenset({"talk.example.org"})}
    )
    async with serving(create_app(named)) as site, site.client() as guest:
        read_json(await guest.post("/api/resets", json={"email": email_of("Alice")}), 202)
        for host in ("talk.example.com", "Talk.Example.com:443", "talk.example.org", "talk.example.org."):
            assert (await guest.get("/api/session", headers={"Host": host})).status_code == 200, host
            assert (await guest.get("/dev/mail", headers={"Host": host})).status_code == 404, (
                "another site can point a name at this machine"
            )
        for host in ("example.com", "talk.example.com.evil.example", "www.talk.example.com"):
            read_problem(await guest.get("/api/session", headers={"Host": host}), 421)


async def test_an_operator_may_allow_any_host_name(settings: Settings) -> None:
    from app.main import create_app

    every = settings.model_copy(update={"allowed_hosts": frozenset({"*"})})
    async with serving(create_app(every)) as site, site.client() as guest:
        assert (await guest.get("/", headers={"Host": "evil.example"})).status_code == 200


async def test_a_request_with_two_host_names_is_refused(shared_site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shared_site.url.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 421 ")
    writer.close()
    await writer.wait_closed()
