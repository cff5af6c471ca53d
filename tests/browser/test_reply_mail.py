"""Mail about replies: the choices on the account page by keyboard, and the page of the link in a mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from playwright.async_api import Browser

from app.live.topics import Topic
from app.reply_mail.choices import unsubscribe_url
from tests.browser.readability import PHONE, assert_fits_phone, assert_readable
from tests.support.people import me, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

NEVER = ".reply-mail [name=mail_on_mention][value=never]"
DAILY = ".reply-mail [name=mail_on_reply][value=daily]"


async def choices_of(client: httpx.AsyncClient) -> tuple[str, str]:
    user = await me(client)
    assert user
    return user["mail_on_reply"], user["mail_on_mention"]


async def test_alice_chooses_by_keyboard_when_she_gets_mail_and_her_other_tab_shows_it(
    open_browser: OpenBrowser,
) -> None:
    alice = await open_browser("Alice", at="/account")
    other = await alice.open_another_tab("/account")
    await alice.tab_to(".reply-mail [name=mail_on_reply]")
    await alice.page.keyboard.press("ArrowDown")
    await alice.focus_is_on(DAILY)
    await alice.page.keyboard.press("Tab")
    await alice.page.keyboard.press("ArrowUp")
    await alice.focus_is_on(NEVER)
    await alice.press(".reply-mail [type=submit]")
    await alice.sees_text(".reply-mail__done", "Your choice has been saved.")
    assert await choices_of(alice.client) == ("daily", "never")
    for checked in (DAILY, NEVER):
        await other.until(f"document.querySelector('{checked}').checked", "the choice in the other tab")
    await alice.go("/account")
    assert await alice.page.locator(DAILY).is_checked()


@pytest.fixture
async def link(site: Site, carol_client: httpx.AsyncClient) -> str:
    """The path of the link in a mail to Carol about Article/1."""
    carol = await me(carol_client)
    assert carol
    await write(carol_client, "Hello")
    parley = site.state.parley
    url = urlsplit(unsubscribe_url(parley, UUID(carol["id"]), Topic("Article", "1")))
    return f"{url.path}?{url.query}"


async def test_carol_stops_mail_by_keyboard_without_scripts_and_without_signing_in(
    browser: Browser, site: Site, carol_client: httpx.AsyncClient, link: str
) -> None:
    async with await browser.new_context(base_url=site.url, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(link)
        await page.get_by_role("button", name="About mentions").focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("Done. You'll get no more emails about mentions.").wait_for()
        assert await context.cookies() == []
    assert await choices_of(carol_client) == ("at_once", "never")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_guest_can_read_the_page_of_the_link_on_a_small_phone(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser, link: str
) -> None:
    guest = await open_browser(at=link, viewport=PHONE, color_scheme=scheme)
    for _ in range(2):
        await assert_fits_phone(guest)
        await assert_readable(guest)
        await guest.tab_to(".unsubscribe__form button")
        await guest.page.keyboard.press("Enter")
        await guest.sees_text(".unsubscribe", "Done.")
