"""The main job: what one person writes, edits or deletes appears before the other, at once and for good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from playwright.async_api import Route

from app.comments.comments import Comment
from app.live.topics import Topic
from tests.browser.people import Person
from tests.support.people import delete, edit, write

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser


@pytest.mark.both_databases
async def test_what_alice_does_bob_sees_and_finds_again(alice: Person, bob: Person) -> None:
    await alice.write("Good morning")
    await bob.sees("Good morning")
    await bob.write("And to you")
    await alice.sees("Good morning", "And to you")
    await alice.edit("Good morning", "Good evening")
    await bob.sees("Good evening", "And to you")
    assert await bob.comment("Good evening").locator(".comment__edited").is_visible()
    await bob.delete("And to you")
    await alice.sees("Good evening")

    assert not [request for request in alice.requests if request.startswith("GET /api")]
    for person in (alice, bob):
        await person.matches_server()
        await person.reload()
        await person.sees("Good evening")
        await person.matches_server()


async def test_a_guest_sees_it_live_and_cannot_edit(alice: Person, guest: Person) -> None:
    await alice.write("For everybody")
    await guest.sees("For everybody")
    await alice.edit("For everybody", "For everybody else")
    await guest.sees("For everybody else")
    for button in ("edit", "delete"):
        assert not await guest.comment("For everybody else").locator(f".comment__{button}").is_visible()
    await guest.matches_server()
    await alice.delete("For everybody else")
    await guest.sees()
    assert await guest.page.locator(".thread__empty").is_visible()


async def test_what_somebody_else_wrote_cannot_be_edited(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await alice.write("Mine")
    await alice.is_settled()
    await write(carol_client, "Carol's")
    await alice.sees("Mine", "Carol's")
    assert await alice.comment("Mine").locator(".comment__edit").is_visible()
    assert not await alice.comment("Carol's").locator(".comment__edit").is_visible()


async def test_what_happens_without_a_browser_is_seen_as_well(
    alice: Person, carol_client: httpx.AsyncClient, served: Parley
) -> None:
    comment = await write(carol_client, "From a phone")
    await alice.sees("From a phone")
    async with served.writing(Topic("Article", "1")) as writing:
        row = await writing.get(Comment, UUID(comment["id"]))
        assert row
        row.body = "From a job"
        writing.update(row)
    await alice.sees("From a job")
    await edit(carol_client, comment, "From a phone again")
    await alice.sees("From a phone again")
    await delete(carol_client, comment)
    await alice.sees()
    await alice.matches_server()


async def test_pages_do_not_hear_of_each_others_topics(open_browser: OpenBrowser, alice: Person) -> None:
    bob = await open_browser("Bob", at="/Page/about")
    await alice.write("Under the article")
    await bob.write("On the page")
    await alice.is_settled()
    await bob.is_settled()
    assert await alice.bodies() == ["Under the article"]
    assert await bob.bodies() == ["On the page"]


async def test_the_count_follows(alice: Person) -> None:
    async def counts(words: str) -> None:
        await alice.until(f"document.querySelector('.thread__count').textContent === '{words}'", words or "no count")

    await counts("")
    await alice.write("One")
    await counts("1 comment")
    await alice.write("Two")
    await counts("2 comments")
    await alice.is_settled()
    await alice.delete("One")
    await counts("1 comment")
    await alice.delete("Two")
    await counts("")


# -- one's own comment: the echo over the stream and the answer to the POST -----------------------------------


async def test_alice_sees_her_comment_once_when_the_echo_comes_first(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    answered = asyncio.Event()

    async def answer_late(route: Route) -> None:
        response = await route.fetch()
        await answered.wait()
        await route.fulfill(response=response)

    await alice.page.route("**/api/comments/**", answer_late)
    await alice.write("Only once")
    await alice.sees("Only once")
    await alice.is_settled()  # by the echo alone
    async with alice.page.expect_request_finished():
        answered.set()
    await alice.matches_server()


async def test_alice_sees_her_comment_once_when_the_answer_comes_first(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await alice.write("Only once")
    await alice.sees("Only once")
    await alice.is_settled()  # by the answer alone
    await alice.page.evaluate("parley.connector.resume()")
    await write(carol_client, "The stream goes on")
    await alice.sees("Only once", "The stream goes on")
    await alice.matches_server()


async def test_alice_sees_her_comment_before_the_server_does(alice: Person) -> None:
    let_through = asyncio.Event()

    async def hold(route: Route) -> None:
        await let_through.wait()
        await route.continue_()

    await alice.page.route("**/api/comments/**", hold)
    await alice.write("Optimism")
    await alice.sees("Optimism")
    assert [comment["state"] for comment in await alice.shown()] == ["sending"]
    assert await alice.snapshot() == []
    let_through.set()
    await alice.matches_server()
