"""The account page: name, address, password, logins and deletion of the account. By keyboard alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Route

from tests.browser.people import Person
from tests.support.people import PASSWORD, email_of, sign_in, sign_up, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

NEW_ADDRESS = "alice@elsewhere.example.com"
NEW_PASSWORD = "a walk along the river"


@pytest.fixture
async def alice(open_browser: OpenBrowser) -> Person:
    """Alice on her account page."""
    return await open_browser("Alice", at="/account")


async def focus_window(person: Person, logins: int) -> None:
    """The person returns to this window, and sees this number of logins."""
    await person.page.evaluate("window.dispatchEvent(new Event('focus'))")
    await sees_logins(person, logins)


async def sign_in_as_alice(person: Person) -> None:
    """Sign in as Alice in the browser of this guest."""
    await person.sign_in_by_keys("Alice")
    await person.is_signed_in("Alice")


async def sees_logins(person: Person, logins: int) -> None:
    await person.until(f"document.querySelectorAll('.login').length === {logins}", f"{logins} logins")


# -- signing in -------------------------------------------------------------------------------------------------


async def test_a_guest_is_asked_to_sign_in(open_browser: OpenBrowser, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
    guest = await open_browser(at="/account")
    assert not await guest.page.locator(".settings__person").is_visible()
    await guest.press(".settings__sign-in")
    await guest.type(".entry [name=email]", email_of("Alice"))
    await guest.type(".entry [name=password]", PASSWORD)
    await guest.page.keyboard.press("Enter")
    await guest.sees_text(".email__current", email_of("Alice"))
    await guest.sees_text(".login__current", "This browser")
    assert not await guest.page.locator(".settings__guest").is_visible()


async def test_alice_follows_her_name_to_the_account_page(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")
    await alice.press(".account__name")
    await alice.until("location.pathname === '/account'", "her account")
    await alice.sees_text(".email__current", email_of("Alice"))


# -- the name --------------------------------------------------------------------------------------------------


async def test_alice_changes_her_name_after_a_reserved_one_is_refused(alice: Person) -> None:
    other = await alice.open_another_tab("/account")
    await alice.type(".username [name=username]", "Parley Team")
    await alice.page.keyboard.press("Enter")
    await alice.sees_field_error(".username", "username", "This name is reserved")
    await alice.type(".username [name=username]", "Alice Newname")
    await alice.page.keyboard.press("Enter")
    for tab in (alice, other):
        await tab.sees_text(".username__current", "Alice Newname")
        await tab.sees_text(".account__name", "Alice Newname")
    await alice.sees_text(".username__done", "Your name has been changed.")


# -- the address -----------------------------------------------------------------------------------------------


async def test_alice_confirms_a_new_address_before_it_replaces_the_old_one(alice: Person) -> None:
    other = await alice.open_another_tab("/account")
    await alice.type(".email [name=email]", NEW_ADDRESS)
    await alice.type(".email [name=current_password]", PASSWORD)
    await alice.page.keyboard.press("Enter")
    for tab in (alice, other):
        await tab.sees_text(".email__waiting", NEW_ADDRESS)
        await tab.sees_text(".email__current", email_of("Alice"))
    assert await alice.page.locator(".email [name=current_password]").input_value() == ""

    await alice.gets_mail(NEW_ADDRESS, "Confirm your new email address")
    await alice.follow_link("/confirm")
    await alice.press(".mailed-link [type=submit]")
    await alice.focus_is_on(".mailed-link__said[data-only=done]")
    await other.sees_text(".email__current", NEW_ADDRESS)
    assert not await other.page.locator(".email__waiting").is_visible()
    await alice.press(".mailed-link__person")
    await alice.until("location.pathname === '/account'", "her account")
    await alice.sees_text(".email__current", NEW_ADDRESS)


async def test_alice_sees_errors_in_her_new_address_beside_the_field(alice: Person) -> None:
    await alice.tab_to(".email [name=email]")
    await alice.page.keyboard.press("Enter")
    await alice.sees_field_error(".email", "email", "Required")
    assert await alice.page.locator(".email [name=current_password]").get_attribute("aria-invalid") == "true"
    await alice.type(".email [name=email]", "nobody")
    await alice.type(".email [name=current_password]", PASSWORD)
    await alice.page.keyboard.press("Enter")
    await alice.sees_field_error(".email", "email")
    await alice.type(".email [name=email]", NEW_ADDRESS)
    await alice.type(".email [name=current_password]", "not hers")
    await alice.page.keyboard.press("Enter")
    await alice.sees_field_error(".email", "current_password", "Wrong password")
    assert await alice.page.locator(".email [name=email]").get_attribute("aria-invalid") is None
    assert await alice.page.locator(".email [name=email]").input_value() == NEW_ADDRESS
    assert not await alice.page.locator(".email__waiting").is_visible()


async def test_alice_changes_nothing_if_she_was_signed_out_unnoticed(alice: Person) -> None:
    await alice.page.evaluate("parley.connector.close()")  # so no message reaches the page
    await alice.client.delete("/api/session")
    await alice.type(".email [name=email]", NEW_ADDRESS)
    await alice.type(".email [name=current_password]", PASSWORD)
    await alice.page.keyboard.press("Enter")
    await alice.is_guest()
    await alice.sees_notice("You are signed out.")
    await alice.focus_is_on(".settings__sign-in")


# -- the password ----------------------------------------------------------------------------------------------


async def test_a_new_password_signs_alice_out_of_all_other_browsers(
    alice: Person, open_browser: OpenBrowser, site: Site
) -> None:
    elsewhere = await open_browser()
    await sign_in_as_alice(elsewhere)
    await focus_window(alice, logins=2)
    tab = await alice.open_another_tab()
    await tab.composer.fill("Half a thought")
    await alice.type(".password [name=current_password]", PASSWORD)
    await alice.type(".password [name=password]", NEW_PASSWORD)
    await alice.page.keyboard.press("Enter")
    await alice.sees_text(".password__done", "Your password has been changed")
    for name, left in (("current_password", ""), ("password", ""), ("username", email_of("Alice"))):
        assert await alice.page.locator(f".password [name={name}]").input_value() == left
    await elsewhere.is_guest()
    await elsewhere.sees_notice("You were signed out because the password was changed.")

    async with site.client() as carol_client:
        await sign_up(carol_client, "Carol")
        await write(carol_client, "Still listening?")
    await tab.sees("Still listening?")
    for here in (alice, tab):
        await here.sees_connection_status("live")
        await here.is_signed_in("Alice")
        await here.sees_no_notice()
    await sees_logins(alice, 1)
    assert await tab.composer.input_value() == "Half a thought"
    await tab.composer.press("Control+Enter")
    await tab.sees("Still listening?", "Half a thought")
    await tab.is_settled()


async def test_alice_sees_errors_in_her_new_password_beside_the_field(alice: Person) -> None:
    await alice.type(".password [name=current_password]", "not hers")
    await alice.type(".password [name=password]", NEW_PASSWORD)
    await alice.page.keyboard.press("Enter")
    await alice.sees_field_error(".password", "current_password", "Wrong password")
    await alice.type(".password [name=current_password]", PASSWORD)
    await alice.type(".password [name=password]", "short")
    await alice.page.keyboard.press("Enter")
    await alice.sees_field_error(".password", "password", "8 characters")
    await alice.is_signed_in()


async def test_alice_can_reveal_a_password_while_she_types_it(alice: Person) -> None:
    field = alice.page.locator(".password [name=password]")
    await alice.type(".password [name=password]", "What did I type?")
    assert await field.get_attribute("type") == "password"
    await alice.press(".password .field__reveal[aria-controls=password-password]")
    assert await field.get_attribute("type") == "text"
    assert await field.input_value() == "What did I type?"
    await alice.focus_is_on("[aria-label='Hide the password']")
    await alice.page.keyboard.press("Enter")
    assert await field.get_attribute("type") == "password"
    await alice.page.keyboard.press("Enter")
    await alice.tab_to(".password [name=password]", "Shift+Tab")
    await alice.page.keyboard.press("Enter")  # the form hides the password before it sends it
    assert await field.get_attribute("type") == "password"


async def test_alices_password_manager_recognizes_each_field(alice: Person) -> None:
    fields = {"current_password": "current-password", "password": "new-password", "username": "username"}
    for name, purpose in fields.items():
        assert await alice.page.locator(f".password [name={name}]").get_attribute("autocomplete") == purpose
    assert await alice.page.locator(".password [name=username]").input_value() == email_of("Alice")


# -- logins ----------------------------------------------------------------------------------------------------


async def test_alice_sees_where_she_is_signed_in(alice: Person, site: Site) -> None:
    await sees_logins(alice, 1)
    assert "This browser" in await alice.page.locator(".login").inner_text()
    assert not await alice.page.locator(".login__end").is_visible()
    assert not await alice.page.locator(".logins__end-others").is_visible()
    async with site.client() as carol_client:
        await sign_in(carol_client, "Alice")
        await focus_window(alice, logins=2)
    first, second = await alice.page.locator(".login").all()
    assert await first.locator(".login__current").is_visible()
    assert not await second.locator(".login__current").is_visible()
    assert "127.0.0.1" in await second.locator(".login__address").inner_text()
    assert await second.locator("relative-time").get_attribute("datetime")


async def test_alice_can_sign_out_another_browser(alice: Person, open_browser: OpenBrowser) -> None:
    elsewhere = await open_browser()
    await sign_in_as_alice(elsewhere)
    await focus_window(alice, logins=2)
    await alice.press(".login__end")
    await elsewhere.is_guest()
    await elsewhere.sees_notice("You were signed out from another device.")
    await sees_logins(alice, 1)
    await alice.focus_is_on(".logins__heading")
    await alice.is_signed_in()
    await alice.sees_no_notice()


async def test_alice_can_sign_out_all_other_browsers(alice: Person, open_browser: OpenBrowser) -> None:
    others = [await open_browser(), await open_browser()]
    for other in others:
        await sign_in_as_alice(other)
    await focus_window(alice, logins=3)
    await alice.press(".logins__end-others")
    for other in others:
        await other.is_guest()
        await other.sees_notice("You were signed out from another device.")
    await sees_logins(alice, 1)
    await alice.focus_is_on(".logins__heading")
    await alice.is_signed_in()


async def test_alice_finds_out_that_her_login_ended_when_she_returns_to_the_window(alice: Person) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await alice.client.delete("/api/session")
    await alice.page.evaluate("window.dispatchEvent(new Event('focus'))")
    await alice.is_guest()
    assert await alice.page.locator(".settings__guest").is_visible()
    assert await alice.page.locator(".login").count() == 0


async def test_alice_is_not_shown_an_older_list_of_logins_that_arrives_late(
    alice: Person, open_browser: OpenBrowser
) -> None:
    await sign_in_as_alice(await open_browser())
    await focus_window(alice, logins=2)
    read, released = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        read.set()
        await released.wait()
        await route.fulfill(response=response)

    await alice.page.route("**/api/logins", hold, times=1)
    await alice.page.evaluate("window.dispatchEvent(new Event('focus'))")
    await read.wait()
    await alice.press(".login__end")
    await sees_logins(alice, 1)
    async with alice.page.expect_request_finished(lambda request: request.url.endswith("/api/logins")):
        released.set()
    await alice.page.evaluate(
        "fetch('/healthz').then((response) => response.text())"
    )  # the page has handled the response before this one
    await sees_logins(alice, 1)


async def test_alice_sees_an_error_if_a_login_cannot_be_ended(alice: Person, open_browser: OpenBrowser) -> None:
    await sign_in_as_alice(await open_browser())
    await focus_window(alice, logins=2)
    await alice.page.route("**/api/logins/*", lambda route: route.fulfill(status=503))
    await alice.press(".login__end")
    await alice.page.locator(".logins__problem").wait_for()
    await alice.page.unroute("**/api/logins/*")
    await alice.page.keyboard.press("Enter")  # the button still has the focus
    await sees_logins(alice, 1)
    assert not await alice.page.locator(".logins__problem").is_visible()


# -- the Atom feed ---------------------------------------------------------------------------------------------


async def test_alice_copies_and_replaces_the_address_of_her_atom_feed(alice: Person, site: Site) -> None:
    await alice.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    field = alice.page.locator(".atom input")
    await alice.until("document.querySelector('.atom input').value !== ''", "the address")
    address = await field.input_value()
    assert "/feeds/replies?key=" in address
    await alice.press(".atom__copy")
    await alice.sees_text(".atom__copy", "Copied")
    assert await alice.page.evaluate("navigator.clipboard.readText()") == address
    await alice.press(".atom__replace")
    await alice.focus_is_on(".atom .question__no")
    await alice.page.keyboard.press("Enter")
    await alice.focus_is_on(".atom__replace")
    assert await field.input_value() == address
    assert not await alice.page.locator(".atom .question").is_visible()
    assert not [request for request in alice.requests if request.startswith("POST /api/account")]
    await alice.page.keyboard.press("Enter")
    await alice.sees_text(".atom .question", "The old one stops working at once, in every feed reader.")
    await alice.press(".atom .question__yes")
    await alice.until(f"document.querySelector('.atom input').value !== {address!r}", "another address")
    await alice.focus_is_on(".atom__replace")
    await alice.sees_text(".atom__copy", "Copy")
    assert (await alice.client.get(f"/feeds/replies?{address.partition('?')[2]}")).status_code == 404
    new = await field.input_value()
    assert (await alice.client.get(f"/feeds/replies?{new.partition('?')[2]}")).status_code == 200
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    assert await field.input_value() == ""


# -- deletion --------------------------------------------------------------------------------------------------


async def delete_account(person: Person, comments: str) -> None:
    await person.tab_to(".deletion [name=comments]")
    if comments == "erase":
        await person.page.keyboard.press("ArrowDown")
    await person.type(".deletion [name=current_password]", PASSWORD)
    await person.page.keyboard.press("Enter")
    await person.focus_is_on(".deletion .question__no")
    await person.press(".deletion .question__yes")


@pytest.mark.parametrize(("comments", "left"), [("keep", ["Mine", "Yours"]), ("erase", ["Yours"])])
async def test_alice_decides_about_her_comments_when_she_deletes_her_account(
    comments: str, left: list[str], alice: Person, open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write(alice.client, "Mine")
    await write(carol_client, "Yours")
    bob = await open_browser("Bob")
    tab = await alice.open_another_tab()
    await delete_account(alice, comments)
    await alice.is_guest()
    await bob.sees(*left)
    for here in (alice, tab):
        await here.sees_notice("This account has been deleted.")
        assert not await here.page.locator(".notice__sign-in").is_visible()
    await alice.focus_is_on(".settings__sign-in")
    if comments == "keep":
        await bob.until(
            "document.querySelector('.comment__author').textContent === 'deleted account'", "the name to be removed"
        )
    await bob.matches_server()
    await tab.matches_server()
    assert (await alice.context.request.post("/api/session", data=CREDENTIALS)).status == 401


CREDENTIALS = {"email": email_of("Alice"), "password": PASSWORD}


async def test_alice_is_notified_of_the_deletion_also_without_a_stream(alice: Person) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await delete_account(alice, "keep")
    await alice.is_guest()
    await alice.sees_notice("This account has been deleted.")


async def test_alice_cannot_delete_her_account_with_a_wrong_password(alice: Person) -> None:
    await alice.tab_to(".deletion [name=current_password]")
    await alice.page.keyboard.press("Enter")
    await alice.sees_field_error(".deletion", "current_password", "Required")
    await alice.type(".deletion [name=current_password]", "not hers")
    await alice.page.keyboard.press("Enter")
    await alice.focus_is_on(".deletion .question__no")
    await alice.press(".deletion .question__yes")
    await alice.sees_field_error(".deletion", "current_password", "Wrong password")
    assert not await alice.page.locator(".deletion .question").is_visible()
    await alice.is_signed_in()


async def test_alice_is_asked_before_anything_is_deleted(alice: Person) -> None:
    await alice.type(".deletion [name=current_password]", PASSWORD)
    await alice.page.keyboard.press("Enter")
    await alice.focus_is_on(".deletion .question__no")
    question = await alice.page.locator(".deletion .question__words").inner_text()
    assert email_of("Alice") in question
    assert "comments will stay" in question
    await alice.page.keyboard.press("Enter")
    await alice.focus_is_on(".deletion__ask")
    await alice.page.keyboard.press("Enter")
    await alice.focus_is_on(".deletion .question__no")
    await alice.page.keyboard.press("Escape")
    await alice.focus_is_on(".deletion__ask")
    await alice.page.keyboard.press("Enter")
    await alice.focus_is_on(".deletion .question__no")
    await alice.tab_to(".deletion [name=comments]", "Shift+Tab")
    await alice.page.keyboard.press("ArrowDown")  # another choice closes the question
    assert not await alice.page.locator(".deletion .question").is_visible()
    assert not [request for request in alice.requests if request.startswith("POST /api/account")]
