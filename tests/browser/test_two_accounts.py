"""One browser, two people: what Alice has not sent yet is never sent as Bob's, and is sent once she is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.network_faults import advance_clock_until, api_unreachable
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import SENT, Person
from tests.support.people import sign_up, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

MINUTE = 60_000  # milliseconds
HAS_CAROLS = """parley.comments.some((comment) => comment.text() === "Carol's")"""


@pytest.fixture(autouse=True)
async def bob_has_an_account(site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    async with site.client() as client:
        await sign_up(client, "Bob")


async def sign_out(person: Person) -> None:
    assert (await person.context.request.delete(f"{person.server_url}/api/session")).ok


async def said(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Who said what, as the server has it."""
    article = {"commentable_type": "Article", "commentable_id": "1"}
    answer = await client.get("/api/comments/", params=article)
    return [(comment["username"], comment["body"]) for comment in answer.json()["comments"]]


def is_live_as(name: str) -> str:
    return f"(parley.account.get('username') ?? '') === '{name}' && parley.connector.state === 'live'"


async def write_without_a_road(alice: Person, other: Person) -> None:
    await alice.write("Alice's, unsent")
    await alice.edit_in_model("Alice's, from before", "Alice's, edited")
    await other.until("parley.outbox.records.length === 2", "what the other tab wrote")


@pytest.fixture
async def other(alice: Person) -> Person:
    """Another tab of Alice's."""
    await alice.write("Alice's, from before")
    await alice.is_settled()
    return await alice.open_another_tab()


async def is_back(alice: Person, other: Person, carol_client: httpx.AsyncClient, between: tuple[str, str]) -> None:
    await alice.sign_in_without_page("Alice")
    await other.reload()
    for tab in (alice, other):
        await advance_clock_until(tab, f"{is_live_as('Alice')} && {SENT}", "all to be sent")
    assert await said(carol_client) == [("Alice", "Alice's, edited"), between, ("Alice", "Alice's, unsent")]
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_what_alice_has_not_sent_is_never_sent_as_bobs(
    alice: Person, other: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    async with api_unreachable(alice, site):
        await write_without_a_road(alice, other)
        await sign_out(alice)
        await alice.sign_in_without_page("Bob")
    for tab in (alice, other):
        await advance_clock_until(tab, is_live_as("Bob"), "who is signed in")
        assert await tab.page.evaluate("parley.outbox.records") == []
        await tab.sees("Alice's, from before")
    await other.write("Bob's")
    await other.is_settled()
    await alice.context.clock.fast_forward(MINUTE)
    for tab in (alice, other):
        await advance_clock_until(tab, f"{is_live_as('Bob')} && parley.comments.length === 2", "what is new")
    await alice.every_tab_matches_server()
    assert await said(carol_client) == [("Alice", "Alice's, from before"), ("Bob", "Bob's")]
    await is_back(alice, other, carol_client, ("Bob", "Bob's"))


@pytest.mark.virtual_clock
async def test_what_alice_has_not_sent_is_never_sent_as_nobodys(
    alice: Person, other: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    async with api_unreachable(alice, site):
        await write_without_a_road(alice, other)
        await sign_out(alice)
    for tab in (alice, other):
        await advance_clock_until(tab, is_live_as(""), "nobody to be signed in")
    await write(carol_client, "Carol's")
    await alice.context.clock.fast_forward(MINUTE)
    for tab in (alice, other):
        await advance_clock_until(tab, f"{is_live_as('')} && {HAS_CAROLS}", "what is new")
    assert await said(carol_client) == [("Alice", "Alice's, from before"), ("Carol", "Carol's")]
    await is_back(alice, other, carol_client, ("Carol", "Carol's"))


async def test_a_request_that_is_under_way_when_the_login_changes_is_nobody_elses(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    """The page still thinks that it is Alice's when the browser's cookie is Bob's already."""
    await alice.page.evaluate("parley.connector.close()")  # so nobody tells it
    await alice.sign_in_without_page("Bob")
    await alice.write("Alice's")
    await alice.is_signed_in("Bob")
    assert await said(carol_client) == []
    assert await alice.page.evaluate("parley.outbox.records") == []
    await alice.write("Bob's")
    await alice.is_settled()
    await alice.sign_in_without_page("Alice")
    await alice.reload()
    await alice.has_sent_all()
    assert await said(carol_client) == [("Bob", "Bob's"), ("Alice", "Alice's")]
    await alice.every_tab_matches_server()


async def test_who_signs_in_in_one_tab_is_signed_in_in_the_others(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Carol's")
    guest = await open_browser()
    others = [await guest.open_another_tab(path) for path in ("/Article/1", "/Article/2", "/")]
    await guest.open_sign_in()
    await guest.sign_in("Bob")
    for tab in (guest, *others):
        await tab.is_signed_in("Bob")
    await others[0].write("Bob's")
    for tab in (guest, others[0]):
        await tab.sees("Carol's", "Bob's")
    await guest.every_tab_matches_server()

    await others[1].page.locator(".account__sign-out").click()
    for tab in (guest, *others):
        await tab.is_guest()
    await write(carol_client, "Read by guests, too")
    await guest.sees("Carol's", "Bob's", "Read by guests, too")
    await guest.every_tab_matches_server()
