"""Guest pages: guests share the HTML of a thread until somebody changes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from app.live.topics import Topic
from app.pages import guest_pages
from app.pages.guest_pages import GuestPage, GuestPages
from app.pages.templates import rendered
from tests.pages.test_pages import bootstrap
from tests.support.people import snapshot, write

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.sqlite_only

OWN = re.compile(r'"now":"([^"]*)"|name="form_id" type="hidden" form="composer" value="([^"]*)"')


@pytest.fixture(autouse=True)
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates of threads, each time that one is rendered."""
    names: list[str] = []

    def counted(request: Any, name: str, context: Any) -> str:
        names.append(name)
        return rendered(request, name, context)

    monkeypatch.setattr("app.pages.pages.rendered", counted)
    return names


async def test_guests_share_one_page_with_a_time_and_a_form_of_their_own(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, renderings: list[str]
) -> None:
    await write(alice, "Hello")
    first, second = [await guest.get("/Article/1") for _ in range(2)]
    assert renderings == ["thread.html"]
    assert OWN.sub("", first.text) == OWN.sub("", second.text)
    own = [value for found in OWN.findall(first.text) for value in found if value]
    assert len(own) == len(OWN.findall(second.text)) == 2
    assert not [value for value in own if value in second.text]
    for name in ("parley-keep", "content-security-policy", "cache-control", "vary", "content-encoding"):
        assert first.headers[name] == second.headers[name]


async def test_a_guests_page_has_every_change(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    async def is_true() -> None:
        for _ in range(2):
            assert (await bootstrap(guest, "/Article/1"))["thread"] == await snapshot(guest)

    comment = await write(alice, "First")
    path = f"/api/comments/{comment['id']}"
    await is_true()
    await write(bob, "Second", parent_id=comment["id"])
    await is_true()
    (await alice.put(path, json={"body": "Changed"})).raise_for_status()
    await is_true()
    (await alice.delete(path)).raise_for_status()
    await is_true()
    html = (await guest.get("/Article/1")).text
    assert "Changed" not in html
    assert "Second" in html


async def test_the_page_of_a_signed_in_person_is_not_shared(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, renderings: list[str]
) -> None:
    await write(alice, "Hello")
    assert (await bootstrap(guest, "/Article/1"))["user"] is None
    assert (await bootstrap(alice, "/Article/1"))["user"]["username"] == "Alice"
    assert (await bootstrap(guest, "/Article/1"))["user"] is None
    assert (await guest.get("/embed/Article/1")).headers["x-robots-tag"] == "noindex"
    assert "before=" in (await guest.get("/Article/1?before=1")).request.url.query.decode()
    assert renderings == ["thread.html", "thread.html", "embed.html", "thread.html"]


def test_the_least_recently_used_pages_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_pages, "MAX_CHARACTERS", 30)
    stored, version = GuestPages(), ("epoch", dict[Topic, int](), None)
    page = GuestPage(version, "x" * 10, datetime.now(UTC), uuid4())
    keys = [("thread.html", Topic("Article", str(number))) for number in range(4)]
    for key in keys[:3]:
        stored.put(key, page)
    assert stored.get(keys[0], version) is page
    stored.put(keys[3], page)
    assert [key for key in keys if stored.get(key, version)] == [keys[0], keys[2], keys[3]]
    assert stored.get(keys[0], ("another", {}, None)) is None
