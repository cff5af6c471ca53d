"""Pages: the HTML of each, with its first snapshot and the cursor of that snapshot."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import Environment

from app.demo import ARTICLES
from app.main import create_app
from app.pages import templates
from app.settings import Settings
from tests.support.database import read_seq
from tests.support.people import snapshot, write
from tests.support.serving import serving
from tests.support.sse import open_stream

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley

HOSTILE = "</script><script>alert(1)</script><!-- & \u2028 'quotes' \"more\""


pytestmark = pytest.mark.sqlite_only  # comments and accounts have tests on both


async def bootstrap(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The data that the page gives to its scripts."""
    response = await client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    found = re.findall(r'<script type="application/json" id="bootstrap">(.*?)</script>', response.text, re.DOTALL)
    assert len(found) == 1
    return dict(json.loads(found[0]))


async def test_a_page_contains_the_snapshot_of_its_first_request(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    comment = await write(alice, "First")
    for reader in (alice, guest):
        page = await bootstrap(reader, "/Article/1")
        seen = await snapshot(reader)
        assert page["thread"] == seen
        assert page["thread"]["comments"][0]["id"] == comment["id"]
        assert page["topics"] == ["Article/1"]
        assert seen["cursor"] in page["cursors"]
        assert page["user"] == (await reader.get("/api/session")).json()["user"]


async def test_a_stream_continues_from_the_cursors_of_the_page(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    page = await bootstrap(bob, "/Article/1")
    comment = await write(alice, "In between")
    query = {"topic": page["topics"], "cursor": page["cursors"]}
    async with bob.stream("GET", "/streams", params={**query, "once": 1}) as response:
        text = (await response.aread()).decode()
    assert "event: reset" not in text
    assert text.count("event: global.comment.create.success") == 1
    assert comment["id"] in text
    async with open_stream(bob, *query["topic"], cursor=None) as fresh:
        assert (await fresh.next()).event == "heartbeat"
        await write(alice, "Afterwards")
        assert (await fresh.next_event()).model["body"] == "Afterwards", "a stream without a cursor replays nothing"


async def test_texts_of_people_cannot_inject_html(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write(alice, HOSTILE)
    page = await bootstrap(guest, "/Article/1")
    assert page["thread"]["comments"][0]["body"] == HOSTILE
    html = (await guest.get("/Article/1")).text
    assert "<script>alert" not in html
    assert "<!--" not in html


async def test_a_hostile_address_cannot_inject_html(guest: httpx.AsyncClient) -> None:
    response = await guest.get("/Article/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert response.status_code == 200
    assert "<script>alert" not in response.text


async def test_the_address_of_a_page_does_not_choose_its_heading(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    """Anybody can choose the address, so it is never the heading, and search engines do not index the page."""
    await write(alice, "First", commentable_id="cheap watches here")
    for path, indexed in {
        "/Article/1": True,  # an article of the demo
        "/Article/buy cheap watches": False,
        "/Page/buy cheap watches": False,
        "/Article/cheap watches here": True,
        "/embed/Article/1": False,
        "/embed/Article/cheap watches here": False,
    }.items():
        response = await guest.get(path)
        shown = re.sub(r"<script.*?</script>", "", response.text, flags=re.DOTALL)
        assert "watches" not in re.sub(r' href="[^"]*"', "", shown)  # links may contain the address
        assert ('<meta name="robots" content="noindex">' not in response.text) is indexed, path
        assert ("x-robots-tag" not in response.headers) is indexed, path
    assert '<h1 class="article__title" dir="auto">Comments</h1>' in (await guest.get("/Article/buy cheap watches")).text


async def test_any_commentable_has_a_page_and_reading_it_creates_no_row(
    guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    page = await bootstrap(guest, "/Page/never/seen before")
    assert page["topics"] == ["Page/never/seen before"]
    assert page["thread"]["commentable"]["seq"] == 0
    assert await read_seq(site_parley, "Page/never/seen before") is None


async def test_the_front_page_lists_the_demos_articles(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write(alice, "One")
    await write(alice, "Two")
    html = (await guest.get("/")).text
    for topic, article in ARTICLES.items():
        assert article.title in unescape(html)
        assert f'href="/{topic}"' in html
    page = await bootstrap(alice, "/")
    assert (page["thread"], page["topics"]) == (None, [])
    assert page["user"]["username"] == "Alice"
    assert len(page["cursors"]) == 1
    nobody = await bootstrap(guest, "/")
    assert (nobody["user"], nobody["cursors"]) == (None, [])


@pytest.mark.parametrize("path", ["/", "/Article/1"])
async def test_a_page_answers_head_requests(guest: httpx.AsyncClient, path: str) -> None:
    response = await guest.head(path)
    assert (response.status_code, response.content) == (200, b"")


async def test_no_page_waits_for_a_template_to_be_compiled(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert templates._templates.cache is not None
    templates._templates.cache.clear()  # as in a process that has just started
    async with serving(create_app(settings)) as site, site.client() as guest:
        monkeypatch.delattr(Environment, "compile")
        for path in ("/", "/Article/1", "/docs", "/reset", "/Article"):
            assert (await guest.get(path)).status_code in (200, 404), path
