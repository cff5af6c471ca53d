"""Concurrent changes: two people in one page, two tabs at one comment, two edits of one text. No text is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.network_faults import API, api_unreachable
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.browser.test_edit_conflicts import sees_conflict
from tests.browser.test_stream_leader import find_leader, find_leaders
from tests.browser.test_two_accounts import fetch_texts, sign_out
from tests.support.people import sign_up, snapshot, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Route

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

MORE_THAN_A_PAGE = 55
MAX_LOCK_REQUESTS = 10  # of a page that opens and posts one comment
MAX_TRIES = 2
UNSEEN = "\u2800"  # the browser counts it as text, and the server refuses it as blank

ON_DISK = """() => new Promise((resolve) => {
  indexedDB.open("parley").onsuccess = ({ target: { result: database } }) => {
    const all = database.transaction("outbox").objectStore("outbox").getAll();
    all.onsuccess = () => {
      database.close();
      resolve(all.result.flatMap(({ records }) => records.map(({ attrs }) => attrs.body)));
    };
  };
})"""
REFUSE_LOCKS = """window.lockCalls = 0;
const no = async () => {
  window.lockCalls += 1;
  await new Promise((resolve) => setTimeout(resolve));
  throw new DOMException("No", "SecurityError");
};
if (window.LockManager) LockManager.prototype.request = LockManager.prototype.query = no;"""
RESET = """() => new Promise((resolve) => {
  parley.comments.once("window", () => resolve());
  parley.bus.trigger("local.stream.reset", { topics: ["Article/1"], reason: "restart" });
})"""
BLOCK_BROADCASTS = "BroadcastChannel.prototype.postMessage = () => {}"
BLOCK_REQUESTS = "XMLHttpRequest.prototype.send = () => {}"
WAIT_FOR_STORE = "parley.outbox.kept().then(() => null)"
REFUSED = "parley.comments.first().state() === 'refused'"


@pytest.fixture(autouse=True)
async def bob_has_an_account(site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    async with site.client() as client:
        await sign_up(client, "Bob")


@asynccontextmanager
async def hold_response(person: Person, method: str, lost: bool = False) -> AsyncIterator[list[str]]:
    """Hold the response to the first such request until the block ends, or drop it.

    Yields the text of that request, once the server has responded to it.
    """
    sent: list[str] = []
    held: list[Route] = []
    arrived = asyncio.Event()

    async def hold(route: Route) -> None:
        if held or route.request.method != method or "/api/comments/" not in route.request.url:
            await route.fallback()
            return
        held.append(route)
        response = await route.fetch()
        sent.append(route.request.post_data_json["body"])
        await arrived.wait()
        await (route.abort() if lost else route.fulfill(response=response))

    await person.context.route(API, hold)
    try:
        yield sent
    finally:
        arrived.set()


async def go_online(*tabs: Person) -> None:
    """Trigger the `online` event, so that the tabs end their back-off at once."""
    for tab in tabs:
        await tab.page.evaluate("window.dispatchEvent(new Event('online')) && null")


async def write_and_settle(person: Person, body: str) -> None:
    await person.write(body)
    await person.is_settled()


async def is_volatile(person: Person) -> bool:
    """Whether the page reports that its unsent changes are lost when it closes."""
    return bool(await person.page.evaluate("parley.outbox.volatile"))


def count_patches(person: Person) -> int:
    return sum(request.startswith("PATCH ") for request in person.requests)


# -- one page, two people ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True])
async def test_alice_posts_once_a_comment_that_is_being_sent_when_she_signs_out(
    alice: Person, carol_client: httpx.AsyncClient, lost: bool
) -> None:
    await alice.page.evaluate("parley.connector.close()")  # only the response can confirm it
    async with hold_response(alice, "POST", lost) as sent:
        await alice.write("Alice's")
        await wait_until(lambda: sent == ["Alice's"], "the response")
        await alice.page.locator(".account__sign-out").click()
        await alice.is_guest()
        await alice.open_sign_in()
        await alice.sign_in("Bob")
    if not lost:
        await wait_until(lambda: _has_stored(alice, []), "an empty store")
    await write_and_settle(alice, "Bob's")
    await wait_until(lambda: _has_stored(alice, ["Alice's"] if lost else []), "the stored records of Alice")
    assert not await is_volatile(alice)
    assert not await alice.page.locator(".thread__volatile").is_visible()
    assert await alice.page.evaluate("parley.outbox.records") == []
    await alice.sign_in_without_page("Alice")
    await alice.reload()
    await alice.has_sent_all()
    assert await fetch_texts(carol_client) == [("Alice", "Alice's"), ("Bob", "Bob's")]
    await alice.every_tab_matches_server()


async def _has_stored(person: Person, bodies: list[str]) -> bool:
    return bool(await person.page.evaluate(ON_DISK) == bodies)


async def test_bob_does_not_see_alices_draft_when_he_signs_in_instead_of_her(alice: Person) -> None:
    other = await alice.open_another_tab()
    await alice.composer.fill("Alice's secret thought")
    await alice.sign_in_without_page("Bob")
    for tab in (alice, other):
        await tab.is_signed_in("Bob")
        assert await tab.composer.input_value() == ""
    await alice.page.locator(".composer__post").click()
    await write_and_settle(alice, "Bob's")
    assert [comment["body"] for comment in await alice.snapshot()] == ["Bob's"]
    await alice.sign_in_without_page("Alice")
    await alice.is_signed_in("Alice")
    assert await alice.composer.input_value() == "Alice's secret thought"


async def test_alice_finds_a_refused_edit_again_after_she_signed_out(alice: Person) -> None:
    await write_and_settle(alice, "One")
    await alice.edit("One", UNSEEN)
    await alice.until(REFUSED, "the refusal")
    await alice.editor.wait_for()
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.sees("One")
    assert await alice.page.locator(".editor").count() == 0
    await alice.sign_in_without_page("Alice")
    await alice.reload()
    await alice.until(REFUSED, "the refused edit")
    assert await alice.editor.input_value() == UNSEEN
    assert await alice.page.locator(".editor__problem").is_visible()


async def test_bob_cannot_edit_alices_comment_after_he_replaced_her_offline(alice: Person, site: Site) -> None:
    """The login changes while the page cannot reach the server."""
    await write_and_settle(alice, "Alice's")
    async with api_unreachable(alice, site):
        await sign_out(alice)
        await alice.sign_in_without_page("Bob")
    await go_online(alice)
    await alice.until("parley.account.get('username') === 'Bob' && parley.connector.state === 'live'", "Bob")
    await alice.is_signed_in("Bob")
    await write_and_settle(alice, "Bob's")
    can_edit = [(shown["body"], shown["current_user_can_edit"]) for shown in await alice.shown()]
    assert can_edit == [("Alice's", False), ("Bob's", True)]
    await alice.every_tab_matches_server()


# -- one person, two tabs ----------------------------------------------------------------------------------------


async def save_in_tab_b(alice: Person, other: Person) -> None:
    """Save an edit in tab B, and wait until tab A, which edits the same comment, shows the conflict."""
    await other.edit("One two three", "Tab B")
    await sees_conflict(alice, "Tab B")
    save = alice.page.locator(".editor__save")
    assert await save.inner_text() == "Overwrite with mine"
    assert await alice.editor.input_value() == "Tab A"
    assert await alice.page.evaluate("parley.comments.first().text()") == "Tab B"


@pytest.fixture
async def other(alice: Person) -> Person:
    """Alice's second tab. Her first tab has an open editor."""
    await write_and_settle(alice, "One two three")
    other = await alice.open_another_tab()
    await alice.open_editor("One two three")
    await alice.editor.fill("Tab A")
    return other


async def test_alice_sees_what_another_tab_saved_before_she_overwrites_it(alice: Person, other: Person) -> None:
    await save_in_tab_b(alice, other)
    await alice.is_settled()
    assert [comment["body"] for comment in await alice.snapshot()] == ["Tab B"]
    await alice.page.locator(".editor__save").press("Enter")
    for tab in (alice, other):
        await tab.sees("Tab A")
    await alice.every_tab_matches_server()


async def test_alice_sees_what_another_tab_saved_offline_before_she_overwrites_it(
    alice: Person, other: Person, site: Site
) -> None:
    async with api_unreachable(alice, site):
        await save_in_tab_b(alice, other)
        await alice.page.locator(".editor__save").press("Enter")
        for tab in (alice, other):
            await tab.sees("Tab A")
    await go_online(alice, other)
    for tab in (alice, other):
        await tab.has_sent_all()
    await alice.every_tab_matches_server()
    assert [comment["body"] for comment in await alice.snapshot()] == ["Tab A"]


async def test_alice_keeps_the_draft_of_a_tab_while_she_types_in_a_copy_of_it(alice: Person) -> None:
    async with alice.context.expect_page() as opened:
        await alice.page.evaluate("void window.open('/Article/1')")  # its session storage is a copy
    await opened.value
    first, copy = alice.tabs()
    await copy.is_ready()
    await first.composer.fill("Alice's long text")
    await copy.composer.fill("Written in the copy")
    await first.reload()
    assert await first.composer.input_value() == "Alice's long text"
    await copy.reload()
    assert await copy.composer.input_value() == "Written in the copy"
    await copy.composer.fill("")
    await first.reload()
    assert await first.composer.input_value() == "Alice's long text"


async def test_alices_stored_change_is_sent_after_its_tab_reloads(alice: Person) -> None:
    """A tab that is killed between storing a record and notifying the leader leaves the same state."""
    tabs = [alice, await alice.open_another_tab()]
    leader = await find_leader(tabs)
    [follower] = [tab for tab in tabs if tab is not leader]
    await follower.page.evaluate(BLOCK_BROADCASTS)
    await follower.write("Only stored")
    await follower.page.evaluate(WAIT_FOR_STORE)
    assert await leader.page.evaluate("parley.outbox.records") == []
    await follower.reload()
    for tab in tabs:
        await tab.sees("Only stored")
        await tab.is_settled()
    assert await find_leaders(tabs) == [leader]
    await leader.every_tab_matches_server()


async def test_alices_stored_change_is_sent_by_the_next_leader(alice: Person) -> None:
    tabs = [alice, await alice.open_another_tab()]
    leader = await find_leader(tabs)
    [follower] = [tab for tab in tabs if tab is not leader]
    await leader.page.evaluate(f"{BLOCK_BROADCASTS}; {BLOCK_REQUESTS}")
    await leader.write("Only stored")
    await leader.page.evaluate(WAIT_FOR_STORE)
    await leader.page.close()
    await follower.until("parley.connector.leads", "to become the leader")
    await wait_until(lambda: _has_bodies(follower, ["Only stored"]), "the stored comment")
    await follower.every_tab_matches_server()


async def _has_bodies(person: Person, bodies: list[str]) -> bool:
    return [comment["body"] for comment in await person.snapshot()] == bodies


# -- one comment, two edits --------------------------------------------------------------------------------------


async def test_alices_last_edit_is_not_confirmed_by_the_echo_of_an_earlier_one(alice: Person) -> None:
    await write_and_settle(alice, "A")
    await alice.edit_in_model("A", "B")
    await alice.is_settled()
    await alice.page.evaluate("window.echo = parley.comments.first().toJSON(); null")
    async with hold_response(alice, "PATCH") as sent:
        await alice.edit_in_model("B", "C")
        await wait_until(lambda: sent == ["C"], "the response")
        await alice.edit_in_model("C", "B")
        await alice.page.evaluate("parley.bus.trigger('global.comment.update.success', window.echo); null")
        assert await alice.page.evaluate("parley.outbox.records.map(({ attrs }) => attrs.body)") == ["B"]
        await alice.sees("B")
    await alice.has_sent_all()
    await alice.every_tab_matches_server()
    assert [comment["body"] for comment in await alice.snapshot()] == ["B"]


@pytest.mark.parametrize("base", ["One", "Zero"])
async def test_alices_edit_is_not_repeated_forever_after_a_restored_backup(alice: Person, base: str) -> None:
    """After a restore the server has an older seq. If its text is the base of the edit, the edit is saved.

    Otherwise Alice sees a conflict.
    """
    await write_and_settle(alice, "One")
    edit = "(body) => parley.comments.first().edit('Two', { seq: 999, body })"
    await alice.page.evaluate(edit, base)
    await alice.until("parley.comments.first().state() !== 'saving'", "the end of saving")
    assert count_patches(alice) <= MAX_TRIES
    if base == "Zero":
        await sees_conflict(alice, "One")
        assert await alice.editor.input_value() == "Two"
        await alice.page.locator(".editor__save").press("Enter")
        await alice.sees("Two")
    await alice.every_tab_matches_server()
    assert count_patches(alice) <= MAX_TRIES + 1


# -- comments of an earlier page ---------------------------------------------------------------------------------


@pytest.fixture
async def alice_with_all_loaded(alice: Person, carol_client: httpx.AsyncClient) -> Person:
    """Alice, after she loaded the whole thread up to her old comment."""
    await write_and_settle(alice, "Mine, old")
    for number in range(MORE_THAN_A_PAGE):
        await write(carol_client, f"Carol's {number}")
    await alice.reload()
    await alice.page.locator(".thread__earlier").click()
    await alice.until(f"parley.comments.length === {MORE_THAN_A_PAGE + 1}", "all comments")
    return alice


async def fetch_first_body(client: httpx.AsyncClient) -> Any:
    return (await snapshot(client, limit=100))["comments"][0]["body"]


async def assert_all_loaded(alice: Person) -> None:
    assert await alice.page.evaluate("parley.comments.length") == MORE_THAN_A_PAGE + 1
    assert not await alice.page.locator(".editor__problem").or_(alice.page.locator(".kept")).is_visible()


async def test_alice_sees_an_error_if_the_server_always_has_an_older_state(alice: Person) -> None:
    await write_and_settle(alice, "One")
    [stored] = await alice.snapshot()

    async def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            problem = {"title": "Changed", "status": 412, "detail": "It has changed meanwhile.", "comment": stored}
            await route.fulfill(status=412, json=problem, content_type="application/problem+json")
        else:
            await route.fallback()

    await alice.context.route(API, refuse)
    await alice.page.evaluate("parley.comments.first().edit('Two', { seq: 999, body: 'One' })")
    await alice.until(REFUSED, "the refusal")
    assert count_patches(alice) <= MAX_TRIES
    assert await alice.editor.input_value() == "Two"


async def test_alice_continues_to_edit_an_old_comment_after_a_reset(
    alice_with_all_loaded: Person, carol_client: httpx.AsyncClient
) -> None:
    await alice_with_all_loaded.open_editor("Mine, old")
    await alice_with_all_loaded.editor.fill("A long text that I write")
    await alice_with_all_loaded.page.evaluate(RESET)
    await assert_all_loaded(alice_with_all_loaded)
    assert await alice_with_all_loaded.editor.input_value() == "A long text that I write"
    await alice_with_all_loaded.page.locator(".editor__save").press("Enter")
    await alice_with_all_loaded.is_settled()
    assert await fetch_first_body(carol_client) == "A long text that I write"


async def test_alices_unsent_edit_of_an_old_comment_is_sent_after_a_reset(
    alice_with_all_loaded: Person, carol_client: httpx.AsyncClient
) -> None:
    async def fail(route: Route) -> None:
        if route.request.method == "PATCH":
            await route.fulfill(status=503, headers={"Retry-After": "60"})
        else:
            await route.fallback()

    await alice_with_all_loaded.context.route(API, fail)
    await alice_with_all_loaded.edit_in_model("Mine, old", "Mine, edited")
    await wait_until(lambda: count_patches(alice_with_all_loaded), "the first try")
    await alice_with_all_loaded.page.evaluate(RESET)
    await assert_all_loaded(alice_with_all_loaded)
    assert (await alice_with_all_loaded.bodies())[0] == "Mine, edited"
    await alice_with_all_loaded.context.unroute(API, fail)
    await go_online(alice_with_all_loaded)
    await alice_with_all_loaded.has_sent_all()
    assert await fetch_first_body(carol_client) == "Mine, edited"


# -- without Web Locks -------------------------------------------------------------------------------------------


async def test_alice_uses_a_browser_that_refuses_locks_without_repeated_requests(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", scripts=[REFUSE_LOCKS])
    await write_and_settle(alice, "Without a lock")
    await alice.until("parley.connector.state === 'live' && parley.connector.leads", "to lead a live stream")
    assert await alice.page.evaluate("window.lockCalls") <= MAX_LOCK_REQUESTS
    await alice.every_tab_matches_server()
