"""When a login ends: the page says why, keeps what is typed, and goes on as whoever this browser now is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Route

from tests.browser.people import Person
from tests.support.people import PASSWORD, sign_in, sign_up, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

NEVER = 300  # seconds between two sweeps: within a test, only hints make a process look
NEW_PASSWORD = "a walk along the river"


async def is_out(person: Person) -> None:
    await person.until("!parley.account.isSignedIn()", "to be out")


# -- why -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"sweep_seconds": NEVER}], indirect=True)
async def test_a_password_that_was_changed_elsewhere_signs_out_here(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await alice.composer.fill("Half a thought")
    await sign_in(carol_client, "Alice")
    form = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    assert (await carol_client.put("/api/account/password", json=form)).status_code == 200
    await is_out(alice)
    await alice.sees_notice("You were signed out because the password was changed.")
    assert await alice.composer.input_value() == "Half a thought"
    await write(carol_client, "Guests read on")
    await alice.sees("Guests read on")


async def test_a_login_that_was_ended_elsewhere_says_so(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await sign_in(carol_client, "Alice")
    assert (await carol_client.delete("/api/logins")).status_code == 204
    await is_out(alice)
    await alice.sees_notice("You were signed out from another device.")


async def test_an_account_that_was_deleted_elsewhere_says_so(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await sign_in(carol_client, "Alice")
    form = {"current_password": PASSWORD, "comments": "keep"}
    assert (await carol_client.post("/api/account/deletion", json=form)).status_code == 204
    await is_out(alice)
    await alice.sees_notice("This account has been deleted.")


@pytest.mark.parametrize("page", ["/", "/account", "/Article/1"])
async def test_who_was_away_when_the_login_ended_is_told(page: str, open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", at=page)
    await alice.page.evaluate("parley.connector.close()")
    await alice.client.delete("/api/session")
    await alice.page.evaluate("parley.connector.resume()")
    await alice.is_guest()
    await alice.sees_notice("You are signed out.")
    await alice.sees_connection_status("idle" if page == "/account" else "live")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("expired", "Your session expired. Please sign in again."),
        (None, "You are signed out."),
        ("something new", "You are signed out."),
    ],
)
async def test_whatever_the_reason_there_are_words_for_it(reason: str | None, words: str, alice: Person) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await alice.client.delete("/api/session")
    await alice.page.evaluate("(reason) => parley.bus.trigger('local.login.ended', { reason })", reason)
    await is_out(alice)
    await alice.sees_notice(words)


async def test_the_notice_stays_until_it_is_dismissed(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await alice.client.delete("/api/session")
    await alice.sees_notice("You are signed out.")
    await write(carol_client, "Life goes on")
    await alice.sees("Life goes on")
    assert await alice.page.locator(".notice").is_visible()
    await alice.press(".notice__dismiss")
    await alice.sees_no_notice()
    await alice.focus_is_on("#content")


async def test_the_notice_goes_when_one_is_signed_in_again(alice: Person) -> None:
    await alice.client.delete("/api/session")
    await alice.sees_notice("You are signed out.")
    await alice.sign_in_by_keys("Alice", button=".notice__sign-in")
    await alice.is_signed_in()
    await alice.sees_no_notice()
    await alice.sees_connection_status("live")


# -- who then --------------------------------------------------------------------------------------------------


async def test_who_signs_in_again_in_another_tab_notices_nothing(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await alice.composer.fill("Half a thought")
    await alice.sign_in_without_page("Alice")
    await write(carol_client, "Still there?")
    await alice.sees("Still there?")
    await alice.is_signed_in()
    await alice.sees_no_notice()
    assert await alice.composer.input_value() == "Half a thought"
    await alice.composer.press("Control+Enter")
    await alice.sees("Still there?", "Half a thought")
    await alice.matches_server()
    await alice.sees_connection_status("live")


async def test_the_stream_goes_on_under_the_new_login_at_once(alice: Person) -> None:
    assert len(alice.streams) == 1
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'replaced' })")
    await wait_until(lambda: len(alice.streams) == 2, "another stream")
    assert "cursor=" in alice.streams[-1]
    await alice.sees_connection_status("live")
    await alice.is_signed_in()


async def test_who_signs_in_as_somebody_else_in_another_tab_is_them_here_too(alice: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Bob")
        await write(client, "Bob's")
    await write(alice.client, "Alice's")
    await alice.sees("Bob's", "Alice's")
    await alice.composer.fill("Half a thought")
    await alice.sign_in_without_page("Bob")
    await alice.is_signed_in("Bob")
    await alice.sees_no_notice()
    await alice.comment("Bob's").locator(".comment__edit").wait_for()
    assert not await alice.comment("Alice's").locator(".comment__edit").is_visible()
    assert await alice.composer.input_value() == "", "it was Alice's, and is kept for her"
    await alice.sees_connection_status("live")
    await alice.matches_server()
    await alice.sign_in_without_page("Alice")
    await alice.is_signed_in("Alice")
    await alice.until("document.querySelector('.composer textarea').value === 'Half a thought'", "her thought")


async def test_the_news_of_an_end_may_come_before_the_answer_that_replaces_it(alice: Person) -> None:
    answered, early = asyncio.Event(), []

    async def answer_late(route: Route) -> None:
        response = await route.fetch()
        await answered.wait()
        await route.fulfill(response=response)

    async def watch(route: Route) -> None:
        early.append(not answered.is_set())
        await route.continue_()

    await alice.page.route("**/api/account/password", answer_late)
    await alice.page.route("**/api/session", watch)
    await alice.page.evaluate("() => { parley.bus.on('local.login.ended', () => { window.heard = true }) }")
    fields = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    await alice.page.evaluate("(fields) => { parley.account.changePassword(fields) }", fields)
    await alice.until("window.heard", "the news")
    await alice.is_signed_in()
    answered.set()
    await wait_until(lambda: early, "the question who it is")
    await alice.sees_connection_status("live")
    await alice.is_signed_in()
    await alice.sees_no_notice()
    assert early == [False]


async def test_an_answer_that_comes_too_late_signs_nobody_in(alice: Person) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def answer_late(route: Route) -> None:
        if route.request.method != "GET":
            await route.continue_()
            return
        response = await route.fetch()
        asked.set()
        await answered.wait()
        await route.fulfill(response=response)

    await alice.page.route("**/api/session", answer_late)
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'replaced' })")
    await asked.wait()
    await alice.press(".account__sign-out", "Shift+Tab")
    await alice.is_guest()
    async with alice.page.expect_request_finished(lambda request: request.method == "GET"):
        answered.set()
    await alice.page.evaluate("fetch('/healthz').then((answer) => answer.text())")  # and what came before it is done
    await alice.is_guest()


async def test_without_an_answer_one_is_a_guest(alice: Person) -> None:
    await alice.page.route("**/api/session", lambda route: route.abort())
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'ended' })")
    await is_out(alice)
