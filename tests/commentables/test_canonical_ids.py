"""One commentable has one id, in pages, API, streams, counts and embeds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from app.accounts import roles
from app.accounts.user import Role
from tests.pages.test_pages import bootstrap
from tests.support.cases import check_each
from tests.support.database import read_seq
from tests.support.people import email_of, read_json, snapshot, write
from tests.support.problems import read_problem
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from app.live.service import Parley

PERSIAN = "می\u200cخواهم"
# Spellings of ids, and their canonical forms.
FORMS = [
    ("2024/hello//", "2024/hello"),
    ("/2024/hello", "2024/hello"),
    (" 2024/hello ", "2024/hello"),
    ("cafe\u0301", "caf\u00e9"),
    (f"blog/{PERSIAN}//", f"blog/{PERSIAN}"),
]
REFUSED = ["..", "a/../b", "./a", "\u200c", "a\u200bb", "\u202ea", "x" * 201, "a\x7f", "\u3164"]


pytestmark = pytest.mark.sqlite_only


def place(id_: str) -> dict[str, str]:
    return {"commentable_type": "Article", "commentable_id": id_}


@pytest.mark.parametrize(("written", "canonical"), FORMS)
async def test_every_interface_leads_to_the_same_conversation(
    written: str, canonical: str, alice: httpx.AsyncClient, site_parley: Parley
) -> None:
    await roles.assign_role(site_parley, email_of("Alice"), Role.MODERATOR)
    first = await write(alice, "One", **place(written))
    second = await write(alice, "Two", **place(canonical))
    assert (first["commentable_id"], first["seq"], second["seq"]) == (canonical, 1, 2)
    assert await snapshot(alice, **place(written)) == await snapshot(alice, **place(canonical))
    for topic in (f"Article/{written}", f"Article/{canonical}"):
        counts = read_json(await alice.get("/api/commentables/", params={"topic": topic}), 200)
        assert [(one["commentable_id"], one["comments_count"]) for one in counts["commentables"]] == [(canonical, 2)]
        named = read_json(await alice.get("/api/commentables/", params={"topic": topic, "by_name": 1}), 200)
        assert (named["names"], named["refused"]) == ({topic: f"Article/{canonical}"}, {})
    assert len(read_json(await alice.get("/api/likes/", params=place(written)), 200)["likes"]) == 0
    assert (await alice.post("/api/typing/", json=place(written))).status_code == 204
    changed = await alice.patch(f"/api/commentables/Article/{quote(written)}", json={"locked": True})
    assert read_json(changed, 200)["commentable_id"] == canonical
    async with open_stream(alice, f"Article/{written}", f"Commentable/Article/{written}", cursor="lost") as stream:
        reset = (await stream.until("reset")).json()
        assert {f"Article/{canonical}", f"Commentable/Article/{canonical}"} <= set(reset["topics"])
    assert await read_seq(site_parley, f"Article/{written}") is None


async def test_other_spellings_redirect_to_the_canonical_address(guest: httpx.AsyncClient) -> None:
    async def check(form: tuple[str, str]) -> None:
        written, canonical = map(quote, form)
        for prefix in ("", "/embed"):
            moved = await guest.get(f"{prefix}/Article/{written}?a=%2F&b")
            assert (moved.status_code, moved.headers["location"]) == (308, f"{prefix}/Article/{canonical}?a=%2F&b")
            assert (await bootstrap(guest, f"{prefix}/Article/{canonical}"))["topics"] == [f"Article/{form[1]}"]
            assert (await guest.get(f"{prefix}/Article/{canonical}/")).status_code == 200

    await check_each({repr(form): form for form in FORMS}, check)


async def test_every_interface_refuses_the_same_ids(alice: httpx.AsyncClient) -> None:
    async def check(id_: str) -> None:
        read_problem(await alice.post("/api/comments/", json={**place(id_), "body": "One"}), 422, "commentable_id")
        read_problem(await alice.get("/api/comments/", params=place(id_)), 422, "commentable_id")
        read_problem(await alice.post("/api/typing/", json=place(id_)), 422, "commentable_id")
        for path in ("/api/commentables/", "/streams"):
            read_problem(await alice.get(path, params={"topic": f"Article/{id_}"}), 422, "topic")
        read_problem(await alice.get("/streams", params={"topic": f"Commentable/Article/{id_}"}), 422, "topic")

    await check_each({repr(id_): id_ for id_ in REFUSED}, check)


@pytest.mark.parametrize("path", ["/Article/%FF", "/Article/%FE", "/embed/Article/caf%E9", "/Article/%E2%80%8B"])
async def test_an_id_that_is_no_text_or_invisible_has_no_page(path: str, guest: httpx.AsyncClient) -> None:
    assert (await guest.get(path)).status_code == 404


async def test_an_id_that_is_not_utf_8_is_refused(guest: httpx.AsyncClient) -> None:
    for byte in ("%FF", "%FE"):
        url = f"/api/comments/?commentable_type=Article&commentable_id={byte}"
        read_problem(await guest.get(url), 422, "commentable_id")
        read_problem(await guest.get(f"/api/commentables/?topic=Article/{byte}"), 422, "topic")


async def test_one_invalid_topic_does_not_hide_the_counts_of_others(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write(alice, "One")
    topics = ["Article/1/", "Blog/7", "Article/..", "1"]
    found = read_json(await guest.get("/api/commentables/", params={"topic": topics, "by_name": 1}), 200)
    assert found["names"] == {"Article/1/": "Article/1"}
    assert found["refused"].keys() == {"Blog/7", "Article/..", "1"}
    assert "Article, Page" in found["refused"]["Blog/7"]
    assert [one["comments_count"] for one in found["commentables"]] == [1]
    read_problem(await guest.get("/api/commentables/", params={"topic": topics}), 422, "topic")


async def test_invalid_topics_only_have_no_counts(guest: httpx.AsyncClient) -> None:
    found = read_json(await guest.get("/api/commentables/", params={"topic": "Blog/7", "by_name": 1}), 200)
    assert (found["commentables"], found["names"]) == ([], {})
    for topics in ([], [f"Article/{number}" for number in range(101)]):
        read_problem(await guest.get("/api/commentables/", params={"topic": topics, "by_name": 1}), 422, "topic")


async def test_a_flag_is_0_or_1(guest: httpx.AsyncClient) -> None:
    flags = [("/api/commentables/", "by_name"), *(("/streams", name) for name in ("guest", "once", "presence"))]
    for path, name in flags:
        for values in (["true"], [""], ["2"], ["1", "1"]):
            read_problem(await guest.get(path, params={"topic": "Article/1", name: values}), 422, name)


async def test_an_embed_without_a_thread_gets_an_explanation(guest: httpx.AsyncClient) -> None:
    async def check(topic: str, **headers: str) -> dict[str, Any]:
        answer = await guest.get("/embed/check", params={"topic": topic}, headers=headers)
        assert answer.headers["access-control-allow-origin"] == "*"
        said: dict[str, Any] = read_json(answer, 200)
        return said

    listed = await check("Article/1")
    assert (listed["topic"], listed["listed"]) == (None, True)
    unlisted = await check("Article/1", Origin="https://evil.example")
    assert (unlisted["topic"], unlisted["listed"]) == (None, False)
    assert "Add https://evil.example to ALLOWED_ORIGINS" in unlisted["message"]
    for topic in ("Blog/1", "article/1", "Article", "1", ""):
        wrong = await check(topic)
        assert re.search("Article, Page", wrong["topic"]), topic
        assert wrong["message"] == wrong["topic"]
    assert "segment" in (await check("Article/../1"))["topic"]
