"""The service worker, and what it may keep: by our word, in `Parley-Keep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.web import worker
from tests.support.people import me
from tests.web.refusals import refused

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site

FILE = "/static/js/app.js"


@pytest.fixture
def site(lasting_site: Site) -> Site:
    return lasting_site


@pytest.fixture
def alice(lasting_alice: httpx.AsyncClient) -> httpx.AsyncClient:
    return lasting_alice


async def test_the_worker_is_served_from_the_root_and_always_asked_for(guest: httpx.AsyncClient) -> None:
    answer = await guest.get("/worker.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == (worker.STATIC / "js" / "worker.js").read_text()
    policy = answer.headers["content-security-policy"]  # its own: what it may fetch
    assert "connect-src 'self'" in policy
    assert (await guest.head("/worker.js")).status_code == 200
    refused(await guest.post("/worker.js"), 405)


@pytest.mark.parametrize("path", ["/", "/Article/1", "/Page/never/seen before"])
async def test_pages_may_be_kept_for_who_looks_and_by_no_other_cache(
    path: str, alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    user = await me(alice)
    assert user
    for reader, viewer in ((alice, user["id"]), (guest, "guest")):
        headers = (await reader.get(path)).headers
        assert headers["parley-keep"] == f"pages {worker.version()} {viewer}"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/account", "/reset", "/confirm", "/unlock", "/dev/mail", "/nothing", "/User/1", "/api/session", "/worker.js"],
)
async def test_nothing_else_may_be_kept(path: str, alice: httpx.AsyncClient) -> None:
    answer = await alice.get(path, headers={"Accept": "text/html"})
    assert "parley-keep" not in answer.headers


async def test_files_say_of_which_release_they_are_and_that_they_are_to_be_asked_for(guest: httpx.AsyncClient) -> None:
    fresh = await guest.get(FILE)
    known = await guest.get(FILE, headers={"If-None-Match": fresh.headers["etag"]})
    assert (fresh.status_code, known.status_code) == (200, 304)
    for answer in (fresh, known):
        assert answer.headers["parley-keep"] == f"files {worker.version()}"
        assert answer.headers["cache-control"] == "no-cache"
    missing = await guest.get("/static/js/nothing.js")
    assert missing.status_code == 404
    assert "parley-keep" not in missing.headers


def test_another_file_another_content_or_another_name_is_another_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "STATIC", tmp_path)
    one = tmp_path / "js" / "one.js"
    one.parent.mkdir()
    versions = [worker.version.__wrapped__()]
    for change in (
        lambda: one.write_text("1"),
        lambda: one.write_text("2"),
        lambda: one.rename(one.with_name("two.js")),
        lambda: one.write_text(""),
    ):
        change()
        versions.append(worker.version.__wrapped__())
    assert len(set(versions)) == len(versions)
    one.touch()
    assert worker.version.__wrapped__() == versions[-1], "the time does not matter"
