"""The composer as an HTML form, without scripts or before they run: every text is posted or kept."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from limits import parse

from app.commentables import commentables
from app.comments.comments import MAX_BODY_LENGTH
from app.http import rate_limits
from app.live.topics import Topic
from tests.support.people import delete, me, snapshot
from tests.support.problems import read_problem

if TYPE_CHECKING:
    from app.live.service import Parley

TEXT = 'Line one\n\n  <b>two</b> & "three" </textarea>'
LARGE_BYTES = 300_000


pytestmark = pytest.mark.sqlite_only  # comments are tested on both elsewhere


async def form_of(client: httpx.AsyncClient, path: str = "/Article/1") -> tuple[str, dict[str, str]]:
    """The address to which the form on this page posts, and its hidden fields."""
    return path, fields_in((await client.get(path)).text)


def fields_in(html: str) -> dict[str, str]:
    """The hidden fields of the form. It has no address of its own, so it posts to the page's."""
    (form,) = re.findall(r'<form class="composer"([^>]*)>', html)
    assert 'method="post"' in form
    assert "action" not in form
    return dict(re.findall(r'<input name="(\w+)" type="hidden"(?: form="composer")? value="([^"]*)"', html))


def text_in(html: str) -> str:
    """The text in the field, as a browser reads it."""
    found = re.search(r'<textarea class="composer__body"[^>]*?name="body"[^>]*>(.*?)</textarea>', html, re.DOTALL)
    assert found, html
    return unescape(found[1]).removeprefix("\n")


def reason_in(html: str) -> str:
    found = re.search(r'<p class="composer__problem"([^>]*)>(.*?)</p>', html, re.DOTALL)
    assert found, html
    assert "hidden" not in found[1]
    return unescape(found[2])


async def send(client: httpx.AsyncClient, text: str, path: str = "/Article/1") -> httpx.Response:
    """Post as a browser does when somebody types this text on that page and presses the button."""
    action, fields = await form_of(client, path)
    return await client.post(action, data={**fields, "body": text.replace("\n", "\r\n")})


async def test_a_text_is_posted_and_the_page_shows_it(alice: httpx.AsyncClient) -> None:
    answer = await send(alice, TEXT)
    assert answer.status_code == 303, answer.text
    (comment,) = (await snapshot(alice))["comments"]
    assert comment["body"] == TEXT
    assert answer.headers["location"] == f"/Article/1#comment-{comment['id']}"
    page = (await alice.get(answer.headers["location"])).text
    assert f'id="comment-{comment["id"]}"' in page
    assert text_in(page) == ""


async def test_the_same_form_sent_twice_is_one_comment(alice: httpx.AsyncClient) -> None:
    action, fields = await form_of(alice)
    answers = [await alice.post(action, data={**fields, "body": "Once"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    changed = await alice.post(action, data={**fields, "body": "And another"})
    assert changed.status_code == 303
    assert [comment["body"] for comment in (await snapshot(alice))["comments"]] == ["Once", "And another"]


async def test_a_deleted_comment_may_be_posted_again(alice: httpx.AsyncClient) -> None:
    action, fields = await form_of(alice)
    await alice.post(action, data={**fields, "body": "Once"})
    (comment,) = (await snapshot(alice))["comments"]
    await delete(alice, comment)
    answer = await alice.post(action, data={**fields, "body": "Once"})
    assert answer.status_code == 409
    assert text_in(answer.text) == "Once"
    fields = fields_in(answer.text)
    assert (await alice.post(action, data={**fields, "body": "Once"})).status_code == 303


async def test_a_guests_text_is_kept_in_the_field(guest: httpx.AsyncClient) -> None:
    answer = await send(guest, TEXT)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert "parley-keep" not in answer.headers
    assert text_in(answer.text) == TEXT
    assert "Sign in" in reason_in(answer.text)
    assert (await snapshot(guest))["comments"] == []


@pytest.mark.parametrize("text", ["", " \n ", "x" * (MAX_BODY_LENGTH + 1), "\0"], ids=["empty", "blank", "long", "NUL"])
async def test_a_text_that_cannot_be_taken_is_kept_in_the_field(alice: httpx.AsyncClient, text: str) -> None:
    answer = await send(alice, text)
    assert answer.status_code == 422
    assert text_in(answer.text) == text.replace("\0", "\ufffd") or text_in(answer.text) == text
    assert reason_in(answer.text)


async def test_ten_thousand_characters_of_four_bytes_are_posted(alice: httpx.AsyncClient) -> None:
    assert (await send(alice, "🦜" * MAX_BODY_LENGTH)).status_code == 303


async def test_the_text_is_kept_where_comments_are_closed(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    action, fields = await form_of(alice)
    await lock(site_parley)
    answer = await alice.post(action, data={**fields, "body": TEXT})
    assert answer.status_code == 403
    assert text_in(answer.text) == TEXT
    assert reason_in(answer.text)


async def lock(site_parley: Parley) -> None:
    article = Topic("Article", "1")
    async with site_parley.writing(article.about) as writing, commentables.changing(writing, article) as commentable:
        commentable.locked = True


async def test_a_person_who_posts_too_often_keeps_the_text(
    alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    action, fields = await form_of(alice)
    once = parse("1 per hour")
    monkeypatch.setattr(rate_limits, "COMMENT", rate_limits.Limit("comment", once, once))
    assert (await alice.post(action, data={**fields, "body": "One"})).status_code == 303
    answer = await alice.post(action, data={**fields, "body": "Two"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert text_in(answer.text) == "Two"
    again = await alice.post(action, data={**fields, "body": "One"})
    assert again.status_code == 303, "a repeated post, whose response was lost"


async def test_nobody_posts_for_another_who_has_signed_in_meanwhile(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    action, fields = await form_of(alice)
    answer = await bob.post(action, data={**fields, "body": "Mine"})
    assert answer.status_code == 409
    assert "Bob" in reason_in(answer.text)
    assert (await snapshot(bob))["comments"] == []
    fields = fields_in(answer.text)
    assert (await bob.post(action, data={**fields, "body": "Mine"})).status_code == 303


async def test_the_text_is_kept_in_the_field_without_the_database(
    alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from app.comments import posting

    async def fails(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, OSError("gone"), connection_invalidated=True)

    action, fields = await form_of(alice)
    monkeypatch.setattr(posting, "post", fails)
    answer = await alice.post(action, data={**fields, "body": TEXT})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    monkeypatch.undo()
    assert text_in(answer.text) == TEXT
    fields = fields_in(answer.text)
    assert (await alice.post(action, data={**fields, "body": TEXT})).status_code == 303


async def test_a_person_who_posts_in_an_embedded_thread_stays_in_it(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    answer = await send(alice, "Hello", "/embed/Article/1")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/embed/Article/1#comment-")
    kept = await send(guest, TEXT, "/embed/Article/1")
    assert kept.status_code == 401
    assert "frame-ancestors 'self'" in kept.headers["content-security-policy"]
    assert text_in(kept.text) == TEXT


@pytest.mark.parametrize("path", ["/Article/1", "/embed/Article/1"])
async def test_another_site_cannot_post(alice: httpx.AsyncClient, path: str) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        read_problem(await alice.post(path, data={"body": "Buy"}, headers=headers), 403)
    assert (await snapshot(alice))["comments"] == []


async def test_a_body_that_is_not_a_form_is_refused(alice: httpx.AsyncClient) -> None:
    read_problem(await alice.post("/Article/1", json={"body": "Hello"}), 415)
    read_problem(await alice.post("/Article/1", data={"body": "x" * LARGE_BYTES}), 413)
    read_problem(await alice.post("/Article/1", data={f"field{n}": "x" for n in range(30)}), 400)
    read_problem(await alice.post("/Planet/1", data={"body": "Hello"}), 404)
    broken = b"body=%ff%fe&form_id=nonsense&user="
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = await alice.post("/Article/1", content=broken, headers=headers)
    assert answer.status_code == 303


async def test_a_form_without_an_id_is_a_comment_each_time(alice: httpx.AsyncClient) -> None:
    for form_id in ("", str(uuid4()), "1"):
        assert (await alice.post("/Article/1", data={"body": "Hello", "form_id": form_id})).status_code == 303
    assert len((await snapshot(alice))["comments"]) == 3
    assert await me(alice)
