"""How it looks and feels: on a phone, in the dark, and without a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import PASSWORD, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser

PHONE = {"width": 320, "height": 640}
LONGEST_NAME = "Wilhelmina-Constantia-van-Door"

PAGES = ("/account", "/reset", "/reset#a-token", "/confirm#a-token", "/unlock#a-token", "/dev/mail")

# A line of the list as it is for a long device at a long address.
FOREIGN_LOGIN = """() => {
  const login = document.querySelector(".login").cloneNode(true);
  login.querySelector(".login__device").textContent = "Chrome Mobile WebView on Android";
  login.querySelector(".login__address").textContent = "2001:db8:85a3:8d3:1319:8a2e:370:7348";
  login.querySelector(".login__end").hidden = false;
  document.querySelector(".logins__list").append(login);
}"""

TOO_WIDE = """() => Array.from(document.querySelectorAll("body *"))
  .filter((el) => el.checkVisibility() && !el.closest(".announcer, .skip, svg"))
  .filter((el) => el.getBoundingClientRect().right > innerWidth + 0.5)
  .map((el) => el.outerHTML.slice(0, 100))"""

# The colours that are really there, and how far text stands out from what is behind it (WCAG 2, 4.5 wanted).
CONTRASTS = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return Array.from(paint.getImageData(0, 0, 1, 1).data);
  };
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (el) => {
    for (; el; el = el.parentElement) {
      const colour = rgba(getComputedStyle(el).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("Canvas");
  };
  const texts = Array.from(document.querySelectorAll("body *")).filter((el) =>
    el.checkVisibility() && !el.closest(".announcer, .skip, :disabled") &&
    Array.from(el.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim()));
  return texts.map((el) => {
    const [one, other] = [rgba(getComputedStyle(el).color), behind(el)].map(luminance);
    return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), el.outerHTML.slice(0, 100)];
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_wider_than_a_small_phone(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    for body in ("A" * 300, "https://example.com/" + "path/" * 60, "Plain words.\n\n" + "    indented " * 20):
        await write(carol_client, body)
    someone = await open_browser(LONGEST_NAME, viewport=PHONE, color_scheme=scheme)
    await write(someone.client, "B" * 200)
    await someone.until("parley.comments.length === 4", "all comments")
    await fits(someone)
    await someone.open_editor("B" * 200)
    await fits(someone)
    await someone.editor.press("Escape")
    await someone.comment("B" * 200).locator(".comment__delete").click()
    await fits(someone)

    guest = await open_browser(viewport=PHONE, color_scheme=scheme)
    await fits(guest)
    await guest.page.locator(".account__sign-up").click()
    await fits(guest)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_other_page_is_wider_than_a_small_phone(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser
) -> None:
    someone = await open_browser(LONGEST_NAME, "/", viewport=PHONE, color_scheme=scheme)
    front = await open_browser(at="/", viewport=PHONE, color_scheme=scheme)
    await fits(front)
    for page in PAGES:
        for tab in (front, someone):
            await tab.go(page)
            await fits(tab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_account_fits_on_a_small_phone(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    someone = await open_browser(LONGEST_NAME, "/account", viewport=PHONE, color_scheme=scheme)
    await in_every_state(someone)
    await fits(someone)
    await can_be_read(someone)
    await someone.client.delete("/api/session")
    await someone.sees_notice("You are signed out.")
    await fits(someone)
    await can_be_read(someone)
    await someone.page.locator(".notice__sign-in").click()
    for mode in ("forgot", "signin", "signup"):
        await someone.page.locator(f".entry [data-to={mode}]:visible").click()
        await fits(someone)
    await someone.go("/dev/mail")
    await fits(someone)


async def in_every_state(person: Person) -> None:
    """Whatever the page of an account can show at once, with the longest words there can be."""
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
    await person.page.locator(".deletion__confirm").wait_for()


async def fits(person: Person) -> None:
    assert await person.page.evaluate(TOO_WIDE) == []
    assert await person.page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_can_be_read(scheme: Literal["light", "dark"], open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", color_scheme=scheme)
    await alice.write("Can you read this?")
    await alice.write("And this?")
    await alice.is_settled()
    await alice.page.emulate_media(reduced_motion="reduce")
    await alice.page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finish()))")
    await alice.open_editor("And this?")
    await alice.comment("Can you read this?").locator(".comment__delete").click()
    await can_be_read(alice)
    background = await alice.page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_light = sum(int(part) for part in background[4:-1].split(",")) > 3 * 128
    assert is_light == (scheme == "light")
    for page in ("/", *PAGES):
        await alice.go(page)
        await can_be_read(alice)


async def can_be_read(person: Person) -> None:
    contrasts = await person.page.evaluate(CONTRASTS)
    assert contrasts
    assert not [(round(ratio, 2), element) for ratio, element in contrasts if ratio < 4.5]


# -- without a mouse -------------------------------------------------------------------------------------------


async def test_everything_can_be_done_with_keys_alone(guest: Person, bob: Person) -> None:
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


async def test_the_dialog_gives_the_focus_back(guest: Person) -> None:
    await guest.tab_to(".account__sign-in")
    await guest.page.keyboard.press("Enter")
    await guest.focus_is_on("input[name=email]")
    await guest.page.keyboard.press("Escape")
    await guest.focus_is_on(".account__sign-in")
