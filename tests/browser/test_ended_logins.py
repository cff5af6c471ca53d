"""The end of a login: the page shows why, keeps drafts, and continues with the browser's new login."""

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

SWEEP_SECONDS = 300  # longer than a test, so the end of the login arrives by hint
NEW_PASSWORD = "a walk along the river"


async def is_signed_out(person: Person) -> None:
    await person.until("!parley.account.isSignedIn()", "the end of the login")


# -- the reason -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"sweep_seconds": SWEEP_SECONDS}], indirect=True)
async def test_alice_is_signed_out_after_her_password_changed_on_another_device(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await alice.composer.fill("Half a thought")
    await sign_in(carol_client, "Alice")
    form = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    assert (await carol_client.put("/api/account/password", json=form)).status_code == 200
    await is_signed_out(alice)
    await alice.sees_notice("You were signed out because the password was changed.")
    assert await alice.composer.input_value() == "Half a thought"
    await write(carol_client, "Guests read on")
    await alice.sees("Guests read on")


async def test_alice_is_notified_that_another_device_ended_her_login(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await sign_in(carol_client, "Alice")
    assert (await carol_client.delete("/api/logins")).status_code == 204
    await is_signed_out(alice)
    await alice.sees_notice("You were signed out from another device.")


async def test_alice_is_notified_that_another_device_deleted_her_account(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await sign_in(carol_client, "Alice")
    form = {"current_password": PASSWORD, "comments": "keep"}
    assert (await carol_client.post("/api/account/deletion", json=form)).status_code == 204
    await is_signed_out(alice)
    await alice.sees_notice("This account has been deleted.")


@pytest.mark.parametrize("page", ["/", "/account", "/Article/1"])
async def test_alice_is_notified_of_a_login_that_ended_while_she_was_disconnected(
    page: str, open_browser: OpenBrowser
) -> None:
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
async def test_alice_gets_a_message_for_every_reason_of_the_end(reason: str | None, words: str, alice: Person) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await alice.client.delete("/api/session")
    await alice.page.evaluate("(reason) => parley.bus.trigger('local.login.ended', { reason })", reason)
    await is_signed_out(alice)
    await alice.sees_notice(words)


async def test_alice_sees_the_notice_until_she_dismisses_it(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await alice.client.delete("/api/session")
    await alice.sees_notice("You are signed out.")
    await write(carol_client, "Life goes on")
    await alice.sees("Life goes on")
    assert await alice.page.locator(".notice").is_visible()
    await alice.press(".notice__dismiss")
    await alice.sees_no_notice()
    await alice.focus_is_on("#content")


async def test_alice_signs_in_again_and_the_notice_disappears(alice: Person) -> None:
    await alice.client.delete("/api/session")
    await alice.sees_notice("You are signed out.")
    await alice.sign_in_by_keys("Alice", button=".notice__sign-in")
    await alice.is_signed_in()
    await alice.sees_no_notice()
    await alice.sees_connection_status("live")


# -- a new login -----------------------------------------------------------------------------------------------


async def test_alice_sees_no_notice_if_she_signs_in_again_in_another_tab(
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


async def test_alices_stream_continues_at_once_under_her_new_login(alice: Person) -> None:
    assert len(alice.streams) == 1
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'replaced' })")
    await wait_until(lambda: len(alice.streams) == 2, "a second stream")
    assert "cursor=" in alice.streams[-1]
    await alice.sees_connection_status("live")
    await alice.is_signed_in()


async def test_bob_who_signs_in_in_another_tab_replaces_alice_in_this_one(alice: Person, site: Site) -> None:
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
    assert await alice.composer.input_value() == "", "her draft is stored for her"
    await alice.sees_connection_status("live")
    await alice.matches_server()
    await alice.sign_in_without_page("Alice")
    await alice.is_signed_in("Alice")
    await alice.until("document.querySelector('.composer textarea').value === 'Half a thought'", "her draft")


async def test_alice_stays_signed_in_if_the_end_arrives_before_the_response_with_her_new_login(alice: Person) -> None:
    released, early = asyncio.Event(), []

    async def delay_response(route: Route) -> None:
        response = await route.fetch()
        await released.wait()
        await route.fulfill(response=response)

    async def watch(route: Route) -> None:
        early.append(not released.is_set())
        await route.continue_()

    await alice.page.route("**/api/account/password", delay_response)
    await alice.page.route("**/api/session", watch)
    await alice.page.evaluate("() => { parley.bus.on('local.login.ended', () => { window.isEnded = true }) }")
    fields = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    await alice.page.evaluate("(fields) => { parley.account.changePassword(fields) }", fields)
    await alice.until("window.isEnded", "the end of the old login")
    await alice.is_signed_in()
    released.set()
    await wait_until(lambda: early, "the request for the account")
    await alice.sees_connection_status("live")
    await alice.is_signed_in()
    await alice.sees_no_notice()
    assert early == [False]


async def test_alice_is_not_signed_in_by_a_response_that_arrives_after_she_signed_out(alice: Person) -> None:
    requested, released = asyncio.Event(), asyncio.Event()

    async def delay_response(route: Route) -> None:
        if route.request.method != "GET":
            await route.continue_()
            return
        response = await route.fetch()
        requested.set()
        await released.wait()
        await route.fulfill(response=response)

    await alice.page.route("**/api/session", delay_response)
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'replaced' })")
    await requested.wait()
    await alice.press(".account__sign-out", "Shift+Tab")
    await alice.is_guest()
    async with alice.page.expect_request_finished(lambda request: request.method == "GET"):
        released.set()
    await alice.page.evaluate(
        "fetch('/healthz').then((response) => response.text())"
    )  # the page has handled the response before this one
    await alice.is_guest()


async def test_alice_becomes_a_guest_if_the_server_does_not_respond(alice: Person) -> None:
    await alice.page.route("**/api/session", lambda route: route.abort())
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'ended' })")
    await is_signed_out(alice)
