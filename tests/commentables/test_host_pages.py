"""The host's page of a conversation: the people who may set it, and the links that lead there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.accounts import roles
from app.accounts.user import Role
from tests.support.cases import check_each
from tests.support.people import email_of, read_json, write
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings

LISTED = "https://www.example.com"
URL = f"{LISTED}/posts/hello?page=2"
PAGE = {"url": URL, "title": "  Hello,\n world\u202e "}


pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    more = getattr(request, "param", {})
    return settings.model_copy(update={"allowed_origins": frozenset({LISTED}), **more})


async def commentable(client: httpx.AsyncClient, topic: str = "Article/7") -> dict[str, Any]:
    answer = read_json(await client.get("/api/commentables/", params={"topic": topic}), 200)
    found: dict[str, Any] = answer["commentables"][0]
    return found


async def write_in_page(client: httpx.AsyncClient, body: str, page: Any = PAGE) -> dict[str, Any]:
    return await write(client, body, commentable_id="7", page=page)


async def inbox(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_json(await client.get("/api/notifications/"), 200)["notifications"]
    return found


async def test_the_first_comment_sets_the_host_page_and_notifications_lead_there(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write_in_page(alice, "Hello, @Bob")
    seen = await commentable(guest)
    assert (seen["url"], seen["title"]) == (URL, "Hello, world")
    (notification,) = await inbox(bob)
    assert (notification["url"], notification["title"]) == (URL, "Hello, world")

    for path in ("/Article/7", "/embed/Article/7"):
        assert f'<link rel="canonical" href="{URL}">' in (await guest.get(path)).text
    there = await guest.get("/Article/7?host=1")
    assert (there.status_code, there.headers["location"]) == (302, URL)


async def test_only_moderators_change_a_host_page_that_is_set(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await write_in_page(alice, "First")
    await write_in_page(bob, "Second", {"url": f"{LISTED}/elsewhere", "title": "Buy!"})
    assert (await commentable(guest))["url"] == URL
    change = {"url": f"{LISTED}/moved"}
    read_problem(await bob.patch("/api/commentables/Article/7", json=change), 403)
    await roles.assign_role(site_parley, email_of("Bob"), Role.MODERATOR)
    assert read_json(await bob.patch("/api/commentables/Article/7", json=change), 200)["url"] == change["url"]
    decision = read_json(await bob.get("/api/moderation/decisions"), 200)["decisions"][-1]
    assert (decision["act"], decision["place"], decision["reason"]) == ("page", "Article/7", change["url"])
    for url in ("https://evil.example/", f"{LISTED}.evil.example/", f"{LISTED}@evil.example/", "javascript:alert(1)"):
        read_problem(await bob.patch("/api/commentables/Article/7", json={"url": url}), 422, "url")
    assert read_json(await bob.patch("/api/commentables/Article/7", json={"url": ""}), 200)["url"] == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/", f"{LISTED}.evil.example/", f"{LISTED}:8443/", f"{LISTED}@evil.example/",
        "http://www.example.com/", "https://WWW.EXAMPLE.COM/", LISTED.replace("//", "//user@") + "/",
    ],
)  # fmt: skip
async def test_a_page_that_may_not_embed_the_thread_is_not_stored(
    url: str, alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write_in_page(alice, "Hello, @Bob", {"url": url, "title": "Buy!"})
    seen = await commentable(guest)
    assert (seen["url"], seen["title"], seen["comments_count"]) == ("", "", 1)
    assert (await inbox(bob))[0]["url"] == ""
    assert (await guest.get("/Article/7?host=1")).status_code == 200


async def test_an_invalid_host_page_is_refused(alice: httpx.AsyncClient) -> None:
    async def check(case: tuple[Any, str]) -> None:
        page, field = case
        form = {"commentable_type": "Article", "commentable_id": "7", "body": "Hello", "page": page}
        read_problem(await alice.post("/api/comments/", json=form), 422, field)

    cases: list[tuple[Any, str]] = [
        ({"url": "javascript:alert(1)"}, "page.url"),
        ({"url": f"{URL}#comment-1"}, "page.url"),
        ({"url": f'{LISTED}/"><script>'}, "page.url"),
        ({"url": f"{LISTED}/ä"}, "page.url"),
        ({"url": f"{LISTED}/{'x' * 2_000}"}, "page.url"),
        ({"url": URL, "title": "x" * 1_001}, "page.title"),
        ({"url": URL, "title": "a\0"}, "page.title"),
        ({"title": "Hello"}, "page.url"),
        ("Hello", "page"),
    ]
    await check_each({str(page)[:60]: (page, field) for page, field in cases}, check)


@pytest.mark.parametrize("settings", [{"root_path": "/talk", "public_url": "https://one.example/talk"}], indirect=True)
async def test_other_pages_of_the_same_host_may_embed_behind_a_prefix(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write_in_page(alice, "Hello", {"url": "https://one.example/post", "title": "A post"})
    assert (await commentable(guest))["url"] == "https://one.example/post"


async def test_an_invisible_title_is_no_title(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write_in_page(alice, "Hello", {"url": URL, "title": "\u200b \u2800"})
    assert (await commentable(guest))["title"] == ""
    assert '<h1 class="article__title" dir="auto">Comments</h1>' in (await guest.get("/Article/7")).text
