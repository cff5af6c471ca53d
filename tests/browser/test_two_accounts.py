"""Two accounts in one browser: Alice's unsent changes are never sent as Bob's, and are sent once she is back."""

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

MINUTE_MS = 60_000
HAS_CAROLS = """parley.comments.some((comment) => comment.text() === "Carol's")"""


@pytest.fixture(autouse=True)
async def bob_has_an_account(site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    async with site.client() as client:
        await sign_up(client, "Bob")


async def sign_out(person: Person) -> None:
    assert (await person.context.request.delete(f"{person.server_url}/api/session")).ok


async def fetch_texts(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """The authors and texts of all comments on the server."""
    article = {"commentable_type": "Article", "commentable_id": "1"}
    response = await client.get("/api/comments/", params=article)
    return [(comment["username"], comment["body"]) for comment in response.json()["comments"]]


def is_live_as(name: str) -> str:
    return f"(parley.account.get('username') ?? '') === '{name}' && parley.connector.state === 'live'"


async def write_offline(alice: Person, other: Person) -> None:
    await alice.write("Alice's, unsent")
    await alice.edit_in_model("Alice's, from before", "Alice's, edited")
    await other.until("parley.outbox.records.length === 2", "the changes of the other tab")


@pytest.fixture
async def other(alice: Person) -> Person:
    """Alice's second tab."""
    await alice.write("Alice's, from before")
    await alice.is_settled()
    return await alice.open_another_tab()


async def assert_sent_after_return(
    alice: Person, other: Person, carol_client: httpx.AsyncClient, between: tuple[str, str]
) -> None:
    await alice.sign_in_without_page("Alice")
    await other.reload()
    for tab in (alice, other):
        await advance_clock_until(tab, f"{is_live_as('Alice')} && {SENT}", "an empty outbox")
    assert await fetch_texts(carol_client) == [("Alice", "Alice's, edited"), between, ("Alice", "Alice's, unsent")]
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_alices_unsent_changes_are_never_sent_as_bobs(
    alice: Person, other: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    async with api_unreachable(alice, site):
        await write_offline(alice, other)
        await sign_out(alice)
        await alice.sign_in_without_page("Bob")
    for tab in (alice, other):
        await advance_clock_until(tab, is_live_as("Bob"), "the account Bob")
        assert await tab.page.evaluate("parley.outbox.records") == []
        await tab.sees("Alice's, from before")
    await other.write("Bob's")
    await other.is_settled()
    await alice.context.clock.fast_forward(MINUTE_MS)
    for tab in (alice, other):
        await advance_clock_until(tab, f"{is_live_as('Bob')} && parley.comments.length === 2", "the new comment")
    await alice.every_tab_matches_server()
    assert await fetch_texts(carol_client) == [("Alice", "Alice's, from before"), ("Bob", "Bob's")]
    await assert_sent_after_return(alice, other, carol_client, ("Bob", "Bob's"))


@pytest.mark.virtual_clock
async def test_alices_unsent_changes_are_never_sent_for_a_guest(
    alice: Person, other: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    async with api_unreachable(alice, site):
        await write_offline(alice, other)
        await sign_out(alice)
    for tab in (alice, other):
        await advance_clock_until(tab, is_live_as(""), "a guest")
    await write(carol_client, "Carol's")
    await alice.context.clock.fast_forward(MINUTE_MS)
    for tab in (alice, other):
        await advance_clock_until(tab, f"{is_live_as('')} && {HAS_CAROLS}", "the new comment")
    assert await fetch_texts(carol_client) == [("Alice", "Alice's, from before"), ("Carol", "Carol's")]
    await assert_sent_after_return(alice, other, carol_client, ("Carol", "Carol's"))


async def test_alices_request_with_bobs_cookie_is_refused_and_sent_later(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    """The page still shows Alice, but the browser has Bob's cookie already."""
    await alice.page.evaluate("parley.connector.close()")  # so no message reaches the page
    await alice.sign_in_without_page("Bob")
    await alice.write("Alice's")
    await alice.is_signed_in("Bob")
    assert await fetch_texts(carol_client) == []
    assert await alice.page.evaluate("parley.outbox.records") == []
    await alice.write("Bob's")
    await alice.is_settled()
    await alice.sign_in_without_page("Alice")
    await alice.reload()
    await alice.has_sent_all()
    assert await fetch_texts(carol_client) == [("Bob", "Bob's"), ("Alice", "Alice's")]
    await alice.every_tab_matches_server()


async def test_bob_signs_in_in_one_tab_and_is_signed_in_in_all(
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
