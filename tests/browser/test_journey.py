"""The journey of a comment: a change by one person appears in the other person's page at once, and after a reload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from playwright.async_api import Route

from app.comments.comments import Comment
from app.live.topics import Topic
from tests.browser.people import Person
from tests.support.people import ARTICLE, delete, edit, write

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser

ABOUT = {"commentable_type": "Page", "commentable_id": "about"}


@pytest.mark.both_databases
async def test_bob_sees_what_alice_does_and_finds_it_after_a_reload(alice: Person, bob: Person) -> None:
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


async def test_a_guest_sees_changes_live_and_cannot_edit(alice: Person, guest: Person) -> None:
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


async def test_alice_cannot_edit_carols_comment(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await alice.write("Mine")
    await alice.is_settled()
    await write(carol_client, "Carol's")
    await alice.sees("Mine", "Carol's")
    assert await alice.comment("Mine").locator(".comment__edit").is_visible()
    assert not await alice.comment("Carol's").locator(".comment__edit").is_visible()


async def test_alice_sees_changes_by_a_job_and_by_an_http_client(
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


async def test_alice_and_bob_do_not_see_comments_of_each_others_topics(
    open_browser: OpenBrowser, alice: Person
) -> None:
    bob = await open_browser("Bob", at="/Page/about")
    await alice.write("Under the article")
    await bob.write("On the page")
    await alice.is_settled()
    await bob.is_settled()
    for person, topic in ((alice, ARTICLE), (bob, ABOUT)):
        await write(person.client, "Later", **topic)  # the stream has delivered all earlier changes before this one
    await alice.sees("Under the article", "Later")
    await bob.sees("On the page", "Later")


async def test_alice_sees_the_count_change(alice: Person) -> None:
    async def sees_count(words: str) -> None:
        await alice.until(f"document.querySelector('.thread__count').textContent === '{words}'", words or "no count")

    await sees_count("")
    await alice.write("One")
    await sees_count("1 comment")
    await alice.write("Two")
    await sees_count("2 comments")
    await alice.is_settled()
    await alice.delete("One")
    await sees_count("1 comment")
    await alice.delete("Two")
    await sees_count("")


# -- Alice's own comment: the echo over the stream and the response to the POST --------------------------------


async def test_alice_sees_her_comment_once_when_the_echo_comes_first(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    released = asyncio.Event()

    async def delay_response(route: Route) -> None:
        response = await route.fetch()
        await released.wait()
        await route.fulfill(response=response)

    await alice.page.route("**/api/comments/**", delay_response)
    await alice.write("Only once")
    await alice.sees("Only once")
    await alice.is_settled()  # by the echo, because the response is delayed
    async with alice.page.expect_request_finished():
        released.set()
    await alice.matches_server()


async def test_alice_sees_her_comment_once_when_the_response_comes_first(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await alice.write("Only once")
    await alice.sees("Only once")
    await alice.is_settled()  # by the response, because the stream is closed
    await alice.page.evaluate("parley.connector.resume()")
    await write(carol_client, "The stream goes on")
    await alice.sees("Only once", "The stream goes on")
    await alice.matches_server()


async def test_alice_sees_her_comment_before_the_server_receives_it(alice: Person) -> None:
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await alice.page.route("**/api/comments/**", hold)
    await alice.write("Optimism")
    await alice.sees("Optimism")
    assert [comment["state"] for comment in await alice.shown()] == ["sending"]
    assert await alice.snapshot() == []
    released.set()
    await alice.matches_server()
