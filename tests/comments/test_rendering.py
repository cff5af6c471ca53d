"""Rendered texts: mentions are marked, and no reader waits for a text that is slow to render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.comments import markdown
from app.comments.mentions import MAX_MENTIONS
from tests.support.people import person, read_json, sign_up, write

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site

HEAVY = ("//a:" * 2_500, "<http://-[" * 1_000, "![[](" * 2_000, "__a_" * 2_500, "*a* " * 2_500)


async def inbox(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    notifications: list[dict[str, Any]] = read_json(await client.get("/api/notifications"), 200)["notifications"]
    return notifications


def marked(comment: dict[str, Any]) -> list[str]:
    parts = comment["html"].split('<span class="mention">')[1:]
    return [part.partition("</span>")[0] for part in parts]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("谢谢@bob", ["@bob"]),
        ("谢谢＠Bob！", ["＠Bob"]),
        ("@bob你好 and _@bob_", ["@bob", "@bob"]),
        ("@nobody @bobby a@bob.example `@bob` https://example.com/@bob", []),
        ("Hello @nobody and @bob's", ["@bob"]),
    ],
)
async def test_exactly_the_notified_people_are_marked(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, text: str, names: list[str]
) -> None:
    comment = await write(alice, text)
    assert marked(comment) == names
    assert [entry["comment_id"] for entry in await inbox(bob)] == [comment["id"]] * bool(names)


async def test_a_name_with_a_space_is_marked_whole(site: Site, alice: httpx.AsyncClient) -> None:
    async with site.client() as zoe, site.client() as other:
        await sign_up(zoe, "Zoë Newcomer", email="zoe@example.com")
        await sign_up(other, "Zoë", email="other@example.com")
        comment = await write(alice, "Welcome, @Zoë Newcomer and all")
        assert marked(comment) == ["@Zoë Newcomer"]
        assert [entry["kind"] for entry in await inbox(zoe)] == ["mention"]


async def test_an_edit_marks_the_current_names(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    comment = await write(alice, "Hello @bobby")
    assert marked(comment) == []
    edited = read_json(await alice.put(f"/api/comments/{comment['id']}", json={"body": "Hello @bob"}), 200)
    assert marked(edited) == ["@bob"]
    assert len(await inbox(bob)) == 1


async def test_an_account_is_not_marked_in_comments_older_than_itself(site: Site, alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "Where is @carol?")
    async with person(site, "Carol") as carol:
        assert (await carol.get(f"/api/comments/{comment['id']}")).json()["html"] == comment["html"]
        assert marked(comment) == await inbox(carol) == []


async def test_mentions_beyond_the_limit_are_neither_marked_nor_notified(site: Site, alice: httpx.AsyncClient) -> None:
    for number in range(MAX_MENTIONS + 1):
        async with person(site, f"person{number}"):
            pass
    names = [f"@person{number}" for number in range(MAX_MENTIONS + 1)]
    comment = await write(alice, " ".join([*names, *names]))
    assert marked(comment) == [*names[:-1], *names[:-1]]


async def test_a_page_of_heavy_comments_delays_nobody(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart nothing is cached: a page reads stored HTML, and never parses a text."""
    written = [await write(alice, text[:10_000]) for text in HEAVY]
    markdown._render.cache_clear()
    monkeypatch.delattr(markdown, "_render")
    page = read_json(
        await guest.get("/api/comments/", params={"commentable_type": "Article", "commentable_id": "1"}), 200
    )
    assert [comment["html"] for comment in page["comments"]] == [comment["html"] for comment in written]
    assert page["comments"][-1]["html"].startswith('<p dir="auto"><em>a</em>')
    assert (await guest.get("/Article/1")).status_code == 200
