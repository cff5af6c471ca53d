"""The layout of all pages: on a small phone, in both themes, and with the keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.browser.readability import PHONE, assert_fits_phone, assert_readable
from tests.support.people import PASSWORD, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser

LONG_NAME = "Wilhelmina-Constantia-van-Door"

PAGES = ("/account", "/reset", "/reset#a-token", "/confirm#a-token", "/unlock#a-token", "/dev/mail")

# An entry in the list of logins with a long device name and a long address.
FOREIGN_LOGIN = """() => {
  const login = document.querySelector(".login").cloneNode(true);
  login.querySelector(".login__device").textContent = "Chrome Mobile WebView on Android";
  login.querySelector(".login__address").textContent = "2001:db8:85a3:8d3:1319:8a2e:370:7348";
  login.querySelector(".login__end").hidden = false;
  document.querySelector(".logins__list").append(login);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_thread_fits_on_the_small_phone_of_a_person_with_a_long_name(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    for body in ("A" * 300, "https://example.com/" + "path/" * 60, "Plain words.\n\n" + "    indented " * 20):
        await write(carol_client, body)
    wilhelmina = await open_browser(LONG_NAME, viewport=PHONE, color_scheme=scheme)
    await write(wilhelmina.client, "B" * 200)
    await wilhelmina.until("parley.comments.length === 4", "all comments")
    await assert_fits_phone(wilhelmina)
    await wilhelmina.open_editor("B" * 200)
    await assert_fits_phone(wilhelmina)
    await wilhelmina.editor.press("Escape")
    await wilhelmina.comment("B" * 200).locator(".comment__delete").click()
    await assert_fits_phone(wilhelmina)

    guest = await open_browser(viewport=PHONE, color_scheme=scheme)
    await assert_fits_phone(guest)
    await guest.page.locator(".account__sign-up").click()
    await guest.page.locator("dialog.entry[open]").wait_for()
    await assert_fits_phone(guest)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_other_page_fits_on_the_small_phone_of_a_person_with_a_long_name(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser
) -> None:
    wilhelmina = await open_browser(LONG_NAME, "/", viewport=PHONE, color_scheme=scheme)
    front = await open_browser(at="/", viewport=PHONE, color_scheme=scheme)
    await assert_fits_phone(front)
    for page in PAGES:
        for tab in (front, wilhelmina):
            await tab.go(page)
            await assert_fits_phone(tab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_account_page_fits_on_a_persons_small_phone(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    wilhelmina = await open_browser(LONG_NAME, "/account", viewport=PHONE, color_scheme=scheme)
    await show_every_state(wilhelmina)
    await assert_fits_phone(wilhelmina)
    await assert_readable(wilhelmina)
    await wilhelmina.client.delete("/api/session")
    await wilhelmina.sees_notice("You are signed out.")
    await assert_fits_phone(wilhelmina)
    await assert_readable(wilhelmina)
    await wilhelmina.page.locator(".notice__sign-in").click()
    for mode in ("forgot", "signin", "signup"):
        await wilhelmina.page.locator(f".entry [data-to={mode}]:visible").click()
        await assert_fits_phone(wilhelmina)
    await wilhelmina.go("/dev/mail")
    await assert_fits_phone(wilhelmina)


async def show_every_state(person: Person) -> None:
    """Make the account page show as many messages and long words at once as possible."""
    form = person.page.locator(".email form")
    await form.locator("[name=email]").fill(f"{'long' * 15}@{'far.away.' * 15}example.com")
    await form.locator("[name=current_password]").fill(PASSWORD)
    await form.locator("[type=submit]").click()
    await person.page.locator(".email__waiting").wait_for()
    await person.page.locator(".login").wait_for()
    await person.page.evaluate(FOREIGN_LOGIN)
    await form.locator("[type=submit]").click()
    await person.page.locator(".email .field__error[data-field=email]").wait_for()
    await person.page.locator(".deletion [name=current_password]").fill(PASSWORD)
    await person.page.locator(".deletion__ask").click()
    await person.page.locator(".deletion .question").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_alice_can_read_every_word_in_both_themes(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser
) -> None:
    alice = await open_browser("Alice", color_scheme=scheme)
    await alice.write("Can you read this?")
    await alice.write("And this?")
    await alice.is_settled()
    await alice.page.emulate_media(reduced_motion="reduce")
    await alice.page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finish()))")
    await alice.open_editor("And this?")
    await alice.comment("Can you read this?").locator(".comment__delete").click()
    await assert_readable(alice)
    background = await alice.page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_light = sum(int(part) for part in background[4:-1].split(",")) > 3 * 128
    assert is_light == (scheme == "light")
    for page in ("/", *PAGES):
        await alice.go(page)
        await assert_readable(alice)


# -- the keyboard ----------------------------------------------------------------------------------------------


async def test_a_guest_can_do_everything_with_the_keyboard_alone(guest: Person, bob: Person) -> None:
    keys = guest.page.keyboard
    await guest.tab_to(".account__sign-up")
    await keys.press("Enter")
    await guest.focus_is_on("input[name=username]")
    await keys.type("Alice")
    await guest.tab_to("input[name=email]")
    await keys.type("alice@example.com")
    await guest.tab_to("input[name=password]")
    await keys.type(PASSWORD)
    await keys.press("Enter")
    await guest.is_signed_in("Alice")
    await guest.focus_is_on(".account__sign-out")

    await guest.tab_to(".composer textarea")
    await keys.type("By hand")
    await keys.press("Control+Enter")
    await bob.sees("By hand")
    await guest.is_settled()
    await guest.focus_is_on(".composer textarea")

    await guest.tab_to(".comment__edit", "Shift+Tab")
    await keys.press("Enter")
    await guest.focus_is_on(".editor textarea")
    await keys.type(", still")
    await guest.tab_to(".editor__save")
    await keys.press("Enter")
    await bob.sees("By hand, still")
    await guest.focus_is_on(".comment")

    await guest.tab_to(".comment__delete")
    await keys.press("Enter")
    await guest.focus_is_on(".comment__delete-yes")
    await keys.press("Escape")
    await guest.focus_is_on(".comment__delete")
    await keys.press("Enter")
    await keys.press("Enter")
    await bob.sees()
    await guest.focus_is_on(".thread__heading")

    await guest.tab_to(".account__sign-out", "Shift+Tab")
    await keys.press("Enter")
    await guest.is_guest()
    await guest.focus_is_on(".account__sign-in")


async def test_a_guest_who_closes_the_dialog_gets_the_focus_back(guest: Person) -> None:
    await guest.tab_to(".account__sign-in")
    await guest.page.keyboard.press("Enter")
    await guest.focus_is_on("input[name=email]")
    await guest.page.keyboard.press("Escape")
    await guest.focus_is_on(".account__sign-in")
