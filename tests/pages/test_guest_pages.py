"""Guest pages: guests share what is rendered of a thread until somebody changes it."""

from __future__ import annotations

import asyncio
import gzip
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from app.comments import guest_cache, threads
from app.comments.guest_cache import GuestCache, Key
from app.pages.guest_page import GuestPage
from app.pages.templates import rendered
from tests.pages.test_pages import bootstrap
from tests.support.people import snapshot, write
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, post_comment
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley

pytestmark = pytest.mark.sqlite_only

PATHS = ("/Article/1", "/embed/Article/1", "/api/comments?commentable_type=Article&commentable_id=1")
OWN = re.compile(r'"now":"([^"]*)"|name="form_id" type="hidden" form="composer" value="([^"]*)"')


@pytest.fixture(autouse=True)
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates of threads, each time that one is rendered."""
    names: list[str] = []

    def counted(request: Any, name: str, context: Any) -> str:
        names.append(name)
        return rendered(request, name, context)

    monkeypatch.setattr("app.pages.pages.rendered", counted)
    monkeypatch.setattr("app.pages.templates.rendered", counted)
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


@pytest.mark.both_databases
async def test_a_guest_no_longer_gets_a_comment_that_another_process_deleted_without_a_hint(
    guest: httpx.AsyncClient, other_parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_parley.hints, "publish", lambda text: None)
    author = await create_viewer(other_parley, "Carol")
    await post_comment(other_parley, author, "Stays")
    comment = await post_comment(other_parley, author, "Regretted")
    for path in PATHS:
        for _ in range(2):
            assert "Regretted" in (await guest.get(path)).text
    await delete_comment(other_parley, author, comment)
    for path in PATHS:
        text = (await guest.get(path)).text
        assert "Regretted" not in text
        assert "Stays" in text


async def test_the_cache_keeps_a_response_for_one_address_only(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    first = await write(alice, "First")
    second = await write(alice, "Second")
    windows = {"": ["First", "Second"], "limit=1": ["Second"], f"before={second['created_seq']}": ["First"],
               f"after={first['created_seq']}": ["Second"], f"limit=1&around={first['id']}": ["First"]}  # fmt: skip
    for _ in range(2):
        for query, bodies in windows.items():
            found = (await guest.get(f"{PATHS[2]}&{query}")).json()["comments"]
            assert [one["body"] for one in found] == bodies, query
            assert not any(one["current_user_can_edit"] for one in found)
            own = (await alice.get(f"{PATHS[2]}&{query}")).json()["comments"]
            assert all(one["current_user_can_edit"] for one in own)
            if "limit" not in query:
                page = await bootstrap(guest, f"/Article/1?{query}")
                assert [one["body"] for one in page["thread"]["comments"]] == bodies, query
        assert "parley-hosts" not in (await guest.get(PATHS[0])).text
        assert "parley-hosts" in (await guest.get(PATHS[1])).text
        assert not (await snapshot(guest, commentable_id="2"))["comments"]


def test_a_compressed_page_is_the_page_with_the_values_of_each_response() -> None:
    def html(now: str, form_id: Any) -> str:
        often = "".join(f'"created_at":"2026-11-28T20:{minute:02}:00.000000Z",' for minute in range(60))
        return f'{often}<input value="{form_id}">{often}{{"now":"{now}","created_at":"{now[:-3]}9"}}{often}\N{SNOWMAN}'

    first = ("2026-11-28T20:12:02.233123Z", uuid4())
    page = GuestPage(html(*first), *first, is_indexed=True)
    for own in (first, ("2031-01-01T09:00:00.000001Z", uuid4())):
        assert page.html(*own).decode() == html(own[0], own[1]).replace(own[0][:-3] + "9", first[0][:-3] + "9")
        assert gzip.decompress(page.gzip(*own)) == page.html(*own)


async def test_content_that_changes_while_it_is_rendered_is_not_used_again(parley: Parley) -> None:
    author = await create_viewer(parley, "Alice")
    await post_comment(parley, author, "First")
    cache, key = GuestCache(parley), Key(ARTICLE, "text")

    async def early(counters: threads.Counters) -> bytes:
        await post_comment(parley, author, "Second")
        return b"First"

    async def late(counters: threads.Counters) -> bytes:
        return b"First, Second"

    assert await cache.get(key, early) == b"First"
    assert await cache.get(key, late) == b"First, Second"
    assert await cache.get(key, early) == b"First, Second"


async def test_guests_wait_for_one_rendering_and_the_next_renders_if_it_is_cancelled(parley: Parley) -> None:
    await post_comment(parley, await create_viewer(parley, "Alice"), "First")
    cache, key, begun, released = GuestCache(parley), Key(ARTICLE, "text"), asyncio.Semaphore(0), asyncio.Event()
    renderings = []

    async def render(counters: threads.Counters) -> bytes:
        renderings.append(counters)
        begun.release()
        await released.wait()
        return b"First"

    first = asyncio.create_task(cache.get(key, render))
    await begun.acquire()
    guests = [first, *(asyncio.create_task(cache.get(key, render)) for _ in range(4))]
    await wait_until(lambda: len(cache._rendering[key]._waiters or ()) == 4, "the others to wait")
    first.cancel()
    await begun.acquire()
    released.set()
    results = await asyncio.gather(*guests, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [b"First"] * 4
    assert len(renderings) == 2


async def test_the_least_recently_used_content_is_removed(parley: Parley, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_cache, "MAX_BYTES", 30)
    await post_comment(parley, await create_viewer(parley, "Alice"), "First")
    cache, rendered = GuestCache(parley), list[int]()

    async def get(number: int) -> None:
        async def render(counters: threads.Counters) -> bytes:
            rendered.append(number)
            return bytes(10)

        await cache.get(Key(ARTICLE, number), render)

    for number in (0, 1, 2, 0, 3, 0, 2, 3, 1):
        await get(number)
    assert rendered == [0, 1, 2, 3, 1]
