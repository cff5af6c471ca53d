"""Windows of a thread as pages: older and newer comments are reachable by links, without scripts."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from uuid import uuid4

import pytest

from app.comments import threads
from tests.comments.test_form import send, text_in
from tests.pages.test_pages import bootstrap
from tests.support.people import delete, snapshot, write
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.sqlite_only  # comments have tests on both

COMMENTS = 12
PAGE = 5
PATHS = ["/Article/1", "/embed/Article/1"]


@pytest.fixture
async def bodies(alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(threads, "PAGE", PAGE)
    for number in range(COMMENTS):
        await write(alice, f"Comment {number}")
    return [f"Comment {number}" for number in range(COMMENTS)]


def shown(html: str) -> list[str]:
    listed = html[html.index('<ol class="thread__list">') : html.index("</ol>")]
    return [unescape(body) for body in re.findall(r'<div class="comment__body[^>]*>(.*?)</div>', listed, re.DOTALL)]


def link(html: str, name: str) -> str | None:
    """The address of this link, or None if it is not shown."""
    found = re.search(rf'<a class="[^"]*thread__{name}"[^>]*? href="([^"]*)"([^>]*)>', html)
    assert found, html
    is_in_rest = name != "earlier" and '<div class="thread__rest" hidden>' in html
    return None if "hidden" in found[2] or is_in_rest else unescape(found[1])


async def follow(client: httpx.AsyncClient, path: str, name: str) -> list[str]:
    """The addresses of the pages from this one on, by this link of each."""
    paths = [path]
    while target := link((await client.get(paths[-1])).text, name):
        paths.append(urljoin(path, target))
    return paths


@pytest.mark.parametrize("path", PATHS)
async def test_links_lead_to_the_first_comment_and_back_to_the_newest(
    path: str, guest: httpx.AsyncClient, bodies: list[str]
) -> None:
    paths = await follow(guest, path, "earlier")
    pages = [shown((await guest.get(path)).text) for path in paths]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [body for page in reversed(pages) for body in page] == bodies
    back = await follow(guest, paths[-1], "later")
    assert shown((await guest.get(back[-1])).text)[-1] == bodies[-1]
    assert link((await guest.get(paths[-1])).text, "newest") == path


async def test_a_page_that_shows_everything_has_no_links(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write(alice, "Only")
    html = (await guest.get("/Article/1")).text
    assert [link(html, name) for name in ("earlier", "later", "newest")] == [None] * 3


async def test_a_window_contains_the_comments_of_the_api(guest: httpx.AsyncClient, bodies: list[str]) -> None:
    before = (await snapshot(guest))["before"]
    page = await bootstrap(guest, f"/Article/1?before={before}")
    assert page["thread"] == await snapshot(guest, before=before)
    assert page["thread"]["after"] is not None


@pytest.mark.parametrize("path", PATHS)
async def test_a_window_is_a_part_of_the_thread_for_search_engines(
    path: str, guest: httpx.AsyncClient, bodies: list[str]
) -> None:
    canonical = '<link rel="canonical" href="/Article/1">'
    window = await guest.get(f"{path}?before=6")
    assert canonical in window.text
    assert "parley-keep" not in window.headers, "it is never shown offline: the service worker ignores queries"
    newest = await guest.get(path)
    assert (canonical in newest.text) is path.startswith("/embed")
    assert "parley-keep" in newest.headers


async def test_a_reply_leads_to_the_comment_that_it_answers(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    above = await write(alice, "Level 0")
    for level in range(1, 6):
        answered, above = above, await write(alice, f"Level {level}", parent_id=above["id"])
    html = (await guest.get("/Article/1")).text
    assert f'href="#comment-{answered["id"]}"' in html
    await delete(alice, answered)
    html = (await guest.get("/Article/1")).text
    target = f"?around={answered['id']}#comment-{answered['id']}"
    assert f'href="{target}"' in html
    assert "Level 5" in shown((await guest.get(urljoin("/Article/1", target))).text)


@pytest.mark.parametrize("path", PATHS)
async def test_a_comment_posted_from_a_window_is_shown_among_the_newest(
    path: str, alice: httpx.AsyncClient, bodies: list[str]
) -> None:
    answer = await send(alice, "From an old page", f"{path}?before=6")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"{path}#comment-")
    assert shown((await alice.get(answer.headers["location"])).text)[-1] == "From an old page"


async def test_a_refused_text_comes_back_in_the_same_window(guest: httpx.AsyncClient, bodies: list[str]) -> None:
    answer = await send(guest, "Mine", "/Article/1?before=6")
    assert answer.status_code == 401
    assert text_in(answer.text) == "Mine"
    assert shown(answer.text) == shown((await guest.get("/Article/1?before=6")).text)


async def test_a_window_that_does_not_exist_is_refused(guest: httpx.AsyncClient) -> None:
    for query in ("before=x", "before=0", "after=-1", "around=x", "before=5&after=1"):
        assert (await guest.get(f"/Article/1?{query}")).status_code == 422
    read_problem(await guest.get(f"/Article/1?around={uuid4()}"), 404)
    assert (await guest.get("/Article/1?before=1")).status_code == 200
