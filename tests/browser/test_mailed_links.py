"""Mailed links: reset a password, confirm an address, unlock an account. By keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Route

from tests.browser.people import Person
from tests.support.people import PASSWORD, email_of, sign_up

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

ALICE = email_of("Alice")
NEW_PASSWORD = "a walk along the river"
ANY_BUTTON = "button[class*=sign-in]"
WRONG_PASSWORDS = 10  # after which an account is locked

needs_confirmation = pytest.mark.parametrize(
    "settings", [{"require_confirmation": True}], indirect=True, ids=["confirming"]
)

PAGES = [("/reset", "forgot"), ("/confirm", "confirm"), ("/unlock", "unlock")]


async def sees_sent_message(person: Person, words: str) -> None:
    """Wait until the dialog shows this message and has the focus on it. Then close the dialog."""
    await person.focus_is_on(".entry__sent")
    assert await person.page.locator(".entry__sent").inner_text() == words
    await person.page.keyboard.press("Escape")


async def sees_result(person: Person, state: str) -> None:
    """Wait until the page shows this result and has the focus on it."""
    await person.until(f"document.querySelector('.mailed-link').dataset.state === '{state}'", state)
    await person.focus_is_on(f".mailed-link__said[data-only={state}]")


# -- a forgotten password --------------------------------------------------------------------------------------


async def test_alice_chooses_a_new_password_after_she_forgot_the_old_one(guest: Person, alice: Person) -> None:
    await guest.press(".account__sign-in")
    await guest.type(".entry [name=email]", ALICE)
    await guest.press("[data-to=forgot]")
    assert await guest.page.locator(".entry [name=email]").input_value() == ALICE
    await guest.focus_is_on(".entry [name=email]")
    await guest.page.keyboard.press("Enter")
    await sees_sent_message(guest, f"If an account exists for {ALICE}, we've sent an email.")

    await guest.gets_mail(ALICE, "Choose a new password")
    token = await guest.follow_link("/reset")
    await guest.type(".mailed-link [name=password]", "short")
    await guest.page.keyboard.press("Enter")
    await guest.sees_field_error(".mailed-link", "password", "8 characters")
    await guest.type(".mailed-link [name=password]", NEW_PASSWORD)
    await guest.page.keyboard.press("Enter")
    await sees_result(guest, "done")
    await alice.is_guest()
    await alice.sees_notice("You were signed out because the password was changed.")

    await guest.sign_in_by_keys("Alice", NEW_PASSWORD, ANY_BUTTON)
    await guest.is_signed_in("Alice")
    assert not [request for request in guest.requests if token in request]


async def test_a_guest_cannot_find_out_whether_an_account_exists(guest: Person) -> None:
    await guest.press(".account__sign-in")
    await guest.press("[data-to=forgot]")
    await guest.type(".entry [name=email]", "nobody@example.com")
    await guest.page.keyboard.press("Enter")
    await sees_sent_message(guest, "If an account exists for nobody@example.com, we've sent an email.")


async def test_a_guest_cannot_request_a_mail_without_an_address(guest: Person) -> None:
    await guest.press(".account__sign-in")
    await guest.press("[data-to=forgot]")
    await guest.focus_is_on(".entry [name=email]")
    await guest.page.keyboard.press("Enter")
    await guest.sees_field_error(".entry", "email", "Required")
    assert not [request for request in guest.requests if request.startswith("POST")]


async def test_a_guest_can_request_a_mail_again(guest: Person) -> None:
    await guest.press(".account__sign-in")
    await guest.press("[data-to=forgot]")
    await guest.type(".entry [name=email]", "nobody@example.com")
    await guest.page.keyboard.press("Enter")
    await guest.focus_is_on(".entry__sent")
    await guest.press(".entry__again")
    await guest.focus_is_on(".entry [name=email]")
    await guest.page.keyboard.press("Enter")
    await guest.focus_is_on(".entry__sent")
    assert len([request for request in guest.requests if request == "POST /api/resets"]) == 2


# -- an address to confirm -------------------------------------------------------------------------------------


@needs_confirmation
async def test_alice_confirms_her_address_before_she_can_sign_in(guest: Person) -> None:
    await guest.press(".account__sign-up")
    await guest.type(".entry [name=username]", "Alice")
    await guest.type(".entry [name=email]", ALICE)
    await guest.type(".entry [name=password]", PASSWORD)
    await guest.page.keyboard.press("Enter")
    await sees_sent_message(guest, f"We've sent a link to {ALICE}. Open it to confirm your email, then sign in.")
    await guest.is_guest()
    await guest.focus_is_on(".account__sign-up")

    await guest.gets_mail(ALICE, "Confirm your email address")
    token = await guest.follow_link("/confirm")
    assert not [request for request in guest.requests if "/api/confirmations" in request]
    await guest.press(".mailed-link [type=submit]")
    await sees_result(guest, "done")
    await guest.sign_in_by_keys("Alice", PASSWORD, ANY_BUTTON)
    await guest.is_signed_in("Alice")
    assert not [request for request in guest.requests if token in request]


@needs_confirmation
async def test_alice_gets_a_new_link_if_she_signs_in_before_she_confirmed(guest: Person, site: Site) -> None:
    async with site.client() as client:
        form = {"email": ALICE, "username": "Alice", "password": PASSWORD}
        assert (await client.post("/api/users", json=form)).status_code == 202
    await guest.sign_in_by_keys("Alice", PASSWORD, ANY_BUTTON)
    await guest.until("document.querySelector('.entry__problem').textContent.includes('confirmed yet')", "the reason")
    await guest.press("[data-to=confirm]")
    await guest.focus_is_on(".entry [name=email]")
    assert await guest.page.locator(".entry [name=email]").input_value() == ALICE
    await guest.page.keyboard.press("Enter")
    await sees_sent_message(guest, f"If an account exists for {ALICE}, we've sent an email.")
    assert "POST /api/confirmations" in guest.requests
    await guest.gets_mail(ALICE, "Confirm your email address")
    await guest.follow_link("/confirm")
    await guest.press(".mailed-link [type=submit]")
    await guest.focus_is_on(".mailed-link [name=password]")  # somebody else may have signed up with this address
    await guest.type(".mailed-link [name=password]", NEW_PASSWORD)
    await guest.page.keyboard.press("Enter")
    await sees_result(guest, "done")
    await guest.sign_in_by_keys("Alice", NEW_PASSWORD, ANY_BUTTON)
    await guest.is_signed_in("Alice")


# -- an account that is locked ---------------------------------------------------------------------------------


async def test_alice_unlocks_her_account_by_mail(guest: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
    async with site.client() as stranger:
        for _ in range(WRONG_PASSWORDS):
            await stranger.post("/api/session", json={"email": ALICE, "password": "no idea at all"})
    await guest.sign_in_by_keys("Alice", PASSWORD, ANY_BUTTON)
    await guest.until("document.querySelector('.entry__problem').textContent.includes('Too many')", "the reason")
    await guest.press("[data-to=unlock]")
    await guest.focus_is_on(".entry [name=email]")
    assert await guest.page.locator(".entry [name=email]").input_value() == ALICE
    await guest.page.keyboard.press("Enter")
    await sees_sent_message(guest, f"If an account exists for {ALICE}, we've sent an email.")

    await guest.gets_mail(ALICE, "Your account is locked for a while")
    token = await guest.follow_link("/unlock")
    assert not [request for request in guest.requests if request.startswith("PUT")]
    await guest.press(".mailed-link [type=submit]")
    await sees_result(guest, "done")
    await guest.sign_in_by_keys("Alice", PASSWORD, ANY_BUTTON)
    await guest.is_signed_in("Alice")
    assert not [request for request in guest.requests if token in request]


# -- tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["/reset", "/confirm", "/unlock"])
async def test_a_guests_address_bar_and_history_do_not_contain_the_token(page: str, open_browser: OpenBrowser) -> None:
    guest = await open_browser(at="/")
    entries = await guest.page.evaluate("history.length")
    await guest.page.goto(f"{page}#a-token-that-nobody-should-see")
    await guest.until("document.querySelector('.mailed-link').dataset.state === 'ready'", "the button")
    assert await guest.page.evaluate("location.href.endsWith(location.pathname)")
    assert await guest.page.evaluate("history.length") == entries + 1
    await guest.page.go_back()
    await guest.page.go_forward()
    await guest.is_ready()
    assert "a-token" not in guest.page.url
    await guest.reload()
    assert await guest.page.locator(".mailed-link").get_attribute("data-state") == "missing"
    assert "a-token" not in await guest.page.content()


@pytest.mark.parametrize(("page", "mode"), PAGES)
async def test_a_guest_with_an_expired_link_can_request_a_new_one(
    page: str, mode: str, open_browser: OpenBrowser
) -> None:
    guest = await open_browser(at=f"{page}#no-longer-good")
    if page == "/reset":
        await guest.type(".mailed-link [name=password]", NEW_PASSWORD)
    await guest.press(".mailed-link [type=submit]")
    await sees_result(guest, "stale")
    await guest.press(".mailed-link__ask")
    await guest.focus_is_on(".entry [name=email]")
    assert await guest.page.locator(".entry").get_attribute("data-mode") == mode


@pytest.mark.parametrize(("page", "mode"), PAGES)
async def test_a_guest_without_the_full_link_sees_an_explanation(
    page: str, mode: str, open_browser: OpenBrowser
) -> None:
    guest = await open_browser(at=page)
    assert "full link" in await guest.page.locator(".mailed-link").inner_text()
    assert not await guest.page.locator(".mailed-link form").is_visible()
    await guest.press(".mailed-link__ask")
    await guest.focus_is_on(".entry [name=email]")
    assert await guest.page.locator(".entry").get_attribute("data-mode") == mode


async def test_a_guest_pastes_a_second_link_and_its_token_is_used(open_browser: OpenBrowser) -> None:
    guest = await open_browser(at="/unlock#the-first")
    await guest.press(".mailed-link [type=submit]")
    await sees_result(guest, "stale")
    sent = []

    async def note(route: Route) -> None:
        sent.append(route.request.post_data_json)
        await route.fulfill(status=204)

    await guest.page.route("**/api/unlocks", note)
    await guest.page.evaluate("location.hash = 'the-second'")
    await guest.until("document.querySelector('.mailed-link').dataset.state === 'ready'", "the button")
    assert await guest.page.evaluate("location.hash") == ""
    await guest.press(".mailed-link [type=submit]")
    await sees_result(guest, "done")
    assert sent == [{"token": "the-second"}]


async def test_a_guest_follows_an_anchor_and_it_is_not_taken_for_a_token(open_browser: OpenBrowser) -> None:
    guest = await open_browser(at="/reset")
    await guest.press(".skip")
    await guest.until("location.hash === '#content'", "the content")
    assert await guest.page.locator(".mailed-link").get_attribute("data-state") == "missing"


async def test_alice_follows_an_expired_link_to_her_account_page_when_signed_in(alice: Person) -> None:
    await alice.page.goto("/confirm#no-longer-good")
    await alice.is_ready()
    await alice.press(".mailed-link [type=submit]")
    await sees_result(alice, "stale")
    await alice.press(".mailed-link__person")
    await alice.until("location.pathname === '/account'", "her account")


async def test_a_guest_keeps_the_typed_password_when_the_server_is_unreachable(open_browser: OpenBrowser) -> None:
    guest = await open_browser(at="/reset#a-token")
    await guest.page.route("**/api/resets", lambda route: route.abort())
    await guest.type(".mailed-link [name=password]", NEW_PASSWORD)
    await guest.page.keyboard.press("Enter")
    await guest.page.locator(".mailed-link .form__problem").wait_for()
    assert "reach the server" in await guest.page.locator(".mailed-link .form__problem").inner_text()
    assert await guest.page.locator(".mailed-link [name=password]").input_value() == NEW_PASSWORD
    await guest.focus_is_on(".mailed-link [name=password]")
