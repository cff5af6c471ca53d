"""Two people in one page, two tabs at one comment, two wishes for one text: nothing is lost, or overwritten unseen."""

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
from tests.browser.test_stream_leader import leaders
from tests.browser.test_two_accounts import said, sign_out
from tests.support.people import sign_up, snapshot, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Route

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

MORE_THAN_A_PAGE = 55
MOST_LOCKS = 10  # that a page may ask for while it opens and one comment is posted
MOST_TRIES = 2
UNSEEN = "\u2800"  # the browser takes it for text, and the server refuses it

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
TELL_NOBODY = "BroadcastChannel.prototype.postMessage = () => {}"
SEND_NOTHING = "XMLHttpRequest.prototype.send = () => {}"
KEPT = "parley.outbox.kept().then(() => null)"
REFUSED = "parley.comments.first().state() === 'refused'"


@pytest.fixture(autouse=True)
async def bob_has_an_account(site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    async with site.client() as client:
        await sign_up(client, "Bob")


@asynccontextmanager
async def under_way(person: Person, method: str, lost: bool = False) -> AsyncIterator[list[str]]:
    """The server does the first of these; its answer stays away until the end, or for good. Yields what was sent."""
    sent: list[str] = []
    arrived = asyncio.Event()

    async def hold(route: Route) -> None:
        if sent or route.request.method != method or "/api/comments/" not in route.request.url:
            await route.fallback()
            return
        sent.append(route.request.post_data_json["body"])
        answer = await route.fetch()
        await arrived.wait()
        await (route.abort() if lost else route.fulfill(response=answer))

    await person.context.route(API, hold)
    try:
        yield sent
    finally:
        arrived.set()


async def hurry(*tabs: Person) -> None:
    """The browser says that there is a network again: nobody waits any longer."""
    for tab in tabs:
        await tab.page.evaluate("window.dispatchEvent(new Event('online')) && null")


async def has_written(person: Person, body: str) -> None:
    await person.write(body)
    await person.is_settled()


async def volatile(person: Person) -> bool:
    """Does the page believe that what is unsent is lost with it?"""
    return bool(await person.page.evaluate("parley.outbox.volatile"))


def patches(person: Person) -> int:
    return sum(request.startswith("PATCH ") for request in person.requests)


# -- one page, two people ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True])
async def test_who_signs_out_while_a_comment_is_under_way_has_posted_it_once(
    alice: Person, carol_client: httpx.AsyncClient, lost: bool
) -> None:
    await alice.page.evaluate("parley.connector.close()")  # only the answer will tell
    async with under_way(alice, "POST", lost) as sent:
        await alice.write("Alice's")
        await wait_until(lambda: sent == ["Alice's"], "it to be under way")
        await alice.page.locator(".account__sign-out").click()
        await alice.is_guest()
        await alice.open_sign_in()
        await alice.sign_in("Bob")
    if not lost:
        await wait_until(lambda: _on_disk(alice, []), "it to be settled")
    await has_written(alice, "Bob's")
    await wait_until(lambda: _on_disk(alice, ["Alice's"] if lost else []), "what waits for Alice")
    assert not await volatile(alice)
    assert not await alice.page.locator(".thread__volatile").is_visible()
    assert await alice.page.evaluate("parley.outbox.records") == []
    await alice.sign_in_without_page("Alice")
    await alice.reload()
    await alice.has_sent_all()
    assert await said(carol_client) == [("Alice", "Alice's"), ("Bob", "Bob's")]
    await alice.every_tab_matches_server()


async def _on_disk(person: Person, bodies: list[str]) -> bool:
    return bool(await person.page.evaluate(ON_DISK) == bodies)


async def test_bob_does_not_see_what_alice_was_typing_when_he_signed_in_instead_of_her(alice: Person) -> None:
    other = await alice.open_another_tab()
    await alice.composer.fill("Alice's secret thought")
    await alice.sign_in_without_page("Bob")
    for tab in (alice, other):
        await tab.is_signed_in("Bob")
        assert await tab.composer.input_value() == ""
    await alice.page.locator(".composer__post").click()
    await has_written(alice, "Bob's")
    assert [comment["body"] for comment in await alice.snapshot()] == ["Bob's"]
    await alice.sign_in_without_page("Alice")
    await alice.is_signed_in("Alice")
    assert await alice.composer.input_value() == "Alice's secret thought"


async def test_what_was_refused_waits_for_who_signs_out(alice: Person) -> None:
    await has_written(alice, "One")
    await alice.edit("One", UNSEEN)
    await alice.until(REFUSED, "it to be refused")
    await alice.editor.wait_for()
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.sees("One")
    assert await alice.page.locator(".editor").count() == 0
    await alice.sign_in_without_page("Alice")
    await alice.reload()
    await alice.until(REFUSED, "what was refused")
    assert await alice.editor.input_value() == UNSEEN
    assert await alice.page.locator(".editor__problem").is_visible()


async def test_what_bobs_stream_brings_is_not_shown_as_alices(alice: Person, site: Site) -> None:
    """She was signed out, and he in, while this page had no road."""
    await has_written(alice, "Alice's")
    async with api_unreachable(alice, site):
        await sign_out(alice)
        await alice.sign_in_without_page("Bob")
    await hurry(alice)
    await alice.until("parley.account.get('username') === 'Bob' && parley.connector.state === 'live'", "Bob")
    await alice.is_signed_in("Bob")
    await has_written(alice, "Bob's")
    can_edit = [(shown["body"], shown["current_user_can_edit"]) for shown in await alice.shown()]
    assert can_edit == [("Alice's", False), ("Bob's", True)]
    await alice.every_tab_matches_server()


# -- one person, two tabs ----------------------------------------------------------------------------------------


async def tab_b_saves_first(alice: Person, other: Person) -> None:
    """Waits until she sees that in tab A, where she is writing at the same comment."""
    await other.edit("One two three", "Tab B")
    await sees_conflict(alice, "Tab B")
    save = alice.page.locator(".editor__save")
    assert await save.inner_text() == "Overwrite with mine"
    assert await alice.editor.input_value() == "Tab A"
    assert await alice.page.evaluate("parley.comments.first().text()") == "Tab B"


@pytest.fixture
async def other(alice: Person) -> Person:
    """Another tab of Alice's, while there is an open editor in the first."""
    await has_written(alice, "One two three")
    other = await alice.open_another_tab()
    await alice.open_editor("One two three")
    await alice.editor.fill("Tab A")
    return other


async def test_what_another_tab_has_saved_is_not_overwritten_unseen(alice: Person, other: Person) -> None:
    await tab_b_saves_first(alice, other)
    await alice.is_settled()
    assert [comment["body"] for comment in await alice.snapshot()] == ["Tab B"]
    await alice.page.locator(".editor__save").press("Enter")
    for tab in (alice, other):
        await tab.sees("Tab A")
    await alice.every_tab_matches_server()


async def test_what_another_tab_has_saved_offline_is_not_overwritten_unseen(
    alice: Person, other: Person, site: Site
) -> None:
    async with api_unreachable(alice, site):
        await tab_b_saves_first(alice, other)
        await alice.page.locator(".editor__save").press("Enter")
        for tab in (alice, other):
            await tab.sees("Tab A")
    await hurry(alice, other)
    for tab in (alice, other):
        await tab.has_sent_all()
    await alice.every_tab_matches_server()
    assert [comment["body"] for comment in await alice.snapshot()] == ["Tab A"]


async def test_a_copy_of_a_tab_does_not_write_over_what_the_first_one_keeps(alice: Person) -> None:
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


async def test_a_change_that_was_kept_and_told_to_nobody_is_sent_once_its_tab_is_loaded_again(alice: Person) -> None:
    """As by a tab that is killed between the two."""
    tabs = [alice, await alice.open_another_tab()]
    [leader] = await leaders(tabs)
    [follower] = [tab for tab in tabs if tab is not leader]
    await follower.page.evaluate(TELL_NOBODY)
    await follower.write("Told to nobody")
    await follower.page.evaluate(KEPT)
    assert await leader.page.evaluate("parley.outbox.records") == []
    await follower.reload()
    for tab in tabs:
        await tab.sees("Told to nobody")
        await tab.is_settled()
    assert await leaders(tabs) == [leader]
    await leader.every_tab_matches_server()


async def test_a_change_that_was_kept_and_told_to_nobody_is_sent_by_the_next_leader(alice: Person) -> None:
    tabs = [alice, await alice.open_another_tab()]
    [leader] = await leaders(tabs)
    [follower] = [tab for tab in tabs if tab is not leader]
    await leader.page.evaluate(f"{TELL_NOBODY}; {SEND_NOTHING}")
    await leader.write("Told to nobody")
    await leader.page.evaluate(KEPT)
    await leader.page.close()
    await follower.until("parley.connector.leads", "to lead")
    await wait_until(lambda: _are(follower, ["Told to nobody"]), "it to be sent")
    await follower.every_tab_matches_server()


async def _are(person: Person, bodies: list[str]) -> bool:
    return [comment["body"] for comment in await person.snapshot()] == bodies


# -- one comment, two wishes -------------------------------------------------------------------------------------


async def test_an_echo_of_an_earlier_wish_does_not_pass_for_the_answer_to_the_last(alice: Person) -> None:
    await has_written(alice, "A")
    await alice.edit_in_model("A", "B")
    await alice.is_settled()
    await alice.page.evaluate("window.echo = parley.comments.first().toJSON(); null")
    async with under_way(alice, "PATCH") as sent:
        await alice.edit_in_model("B", "C")
        await wait_until(lambda: sent == ["C"], "it to be under way")
        await alice.edit_in_model("C", "B")
        await alice.page.evaluate("parley.bus.trigger('global.comment.update.success', window.echo); null")
        assert await alice.page.evaluate("parley.outbox.records.map(({ attrs }) => attrs.body)") == ["B"]
        await alice.sees("B")
    await alice.has_sent_all()
    await alice.every_tab_matches_server()
    assert [comment["body"] for comment in await alice.snapshot()] == ["B"]


@pytest.mark.parametrize("base", ["One", "Zero"])
async def test_a_server_that_knows_less_than_the_page_is_not_asked_again_and_again(alice: Person, base: str) -> None:
    """As after a backup was put back. Where it is what was written on, it is saved; else it is told."""
    await has_written(alice, "One")
    edit = "(body) => parley.comments.first().edit('Two', { seq: 999, body })"
    await alice.page.evaluate(edit, base)
    await alice.until("parley.comments.first().state() !== 'saving'", "it to be settled or refused")
    assert patches(alice) <= MOST_TRIES
    if base == "Zero":
        await sees_conflict(alice, "One")
        assert await alice.editor.input_value() == "Two"
        await alice.page.locator(".editor__save").press("Enter")
        await alice.sees("Two")
    await alice.every_tab_matches_server()
    assert patches(alice) <= MOST_TRIES + 1


# -- what lies further up ----------------------------------------------------------------------------------------


@pytest.fixture
async def loaded(alice: Person, carol_client: httpx.AsyncClient) -> Person:
    """Alice, who has loaded the thread up to an old comment of hers."""
    await has_written(alice, "Mine, old")
    for number in range(MORE_THAN_A_PAGE):
        await write(carol_client, f"Carol's {number}")
    await alice.reload()
    await alice.page.locator(".thread__earlier").click()
    await alice.until(f"parley.comments.length === {MORE_THAN_A_PAGE + 1}", "all of them")
    return alice


async def first_body(client: httpx.AsyncClient) -> Any:
    return (await snapshot(client, limit=100))["comments"][0]["body"]


async def is_all_there(alice: Person) -> None:
    assert await alice.page.evaluate("parley.comments.length") == MORE_THAN_A_PAGE + 1
    assert not await alice.page.locator(".editor__problem").or_(alice.page.locator(".kept")).is_visible()


async def test_a_server_that_always_knows_less_is_told_of(alice: Person) -> None:
    await has_written(alice, "One")
    [stored] = await alice.snapshot()

    async def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            problem = {"title": "Changed", "status": 412, "detail": "It has changed meanwhile.", "comment": stored}
            await route.fulfill(status=412, json=problem, content_type="application/problem+json")
        else:
            await route.fallback()

    await alice.context.route(API, refuse)
    await alice.page.evaluate("parley.comments.first().edit('Two', { seq: 999, body: 'One' })")
    await alice.until(REFUSED, "it to be refused")
    assert patches(alice) <= MOST_TRIES
    assert await alice.editor.input_value() == "Two"


async def test_who_is_editing_far_up_goes_on_after_a_reset(loaded: Person, carol_client: httpx.AsyncClient) -> None:
    await loaded.open_editor("Mine, old")
    await loaded.editor.fill("A long text that I write")
    await loaded.page.evaluate(RESET)
    await is_all_there(loaded)
    assert await loaded.editor.input_value() == "A long text that I write"
    await loaded.page.locator(".editor__save").press("Enter")
    await loaded.is_settled()
    assert await first_body(carol_client) == "A long text that I write"


async def test_what_is_unsent_far_up_is_sent_after_a_reset(loaded: Person, carol_client: httpx.AsyncClient) -> None:
    async def fail(route: Route) -> None:
        if route.request.method == "PATCH":
            await route.fulfill(status=503, headers={"Retry-After": "60"})
        else:
            await route.fallback()

    await loaded.context.route(API, fail)
    await loaded.edit_in_model("Mine, old", "Mine, edited")
    await wait_until(lambda: patches(loaded), "it to be tried")
    await loaded.page.evaluate(RESET)
    await is_all_there(loaded)
    assert (await loaded.bodies())[0] == "Mine, edited"
    await loaded.context.unroute(API, fail)
    await hurry(loaded)
    await loaded.has_sent_all()
    assert await first_body(carol_client) == "Mine, edited"


# -- a browser that refuses --------------------------------------------------------------------------------------


async def test_a_browser_that_refuses_locks_is_asked_once_and_goes_without(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", scripts=[REFUSE_LOCKS])
    await has_written(alice, "Without a lock")
    assert await alice.page.evaluate("[parley.connector.state, parley.connector.leads]") == ["live", True]
    assert await alice.page.evaluate("window.lockCalls") <= MOST_LOCKS
    await alice.every_tab_matches_server()
