"""The service worker's script, and the pages that it may store: they have the header `Parley-Keep`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.people import me
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site


@pytest.fixture
def site(shared_site: Site) -> Site:
    return shared_site


@pytest.fixture
def alice(shared_alice: httpx.AsyncClient) -> httpx.AsyncClient:
    return shared_alice


async def test_the_worker_is_served_from_the_root_and_always_revalidated(guest: httpx.AsyncClient) -> None:
    answer = await guest.get("/worker.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "addEventListener" in answer.text
    policy = answer.headers["content-security-policy"]  # of the worker itself
    assert "connect-src 'self'" in policy
    assert (await guest.head("/worker.js")).status_code == 200
    known = await guest.get("/worker.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    read_problem(await guest.post("/worker.js"), 405)


@pytest.mark.parametrize("path", ["/", "/Article/1", "/Page/never/seen before"])
async def test_only_the_worker_of_the_same_person_may_store_a_page(
    path: str, site: Site, alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    release = site.state.front_end.release
    user = await me(alice)
    assert user
    for reader, viewer in ((alice, user["id"]), (guest, "guest")):
        headers = (await reader.get(path)).headers
        assert headers["parley-keep"] == f"{release.version} {viewer}"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/account", "/reset", "/confirm", "/unlock", "/dev/mail", "/nothing", "/User/1", "/api/session", "/worker.js"],
)
async def test_the_worker_may_store_nothing_else(path: str, alice: httpx.AsyncClient) -> None:
    answer = await alice.get(path, headers={"Accept": "text/html"})
    assert "parley-keep" not in answer.headers
