"""Code that is loaded when somebody needs it. What they press and type while it loads is not lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwright.async_api import Route

from tests.browser.page_errors import NETWORK
from tests.support.people import PASSWORD, email_of, sign_up, write

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

    from tests.browser.conftest import OpenBrowser
    from tests.browser.page_errors import PageErrors
    from tests.support.serving import Site

PARTS = re.compile(
    r"/(auth_dialog|cards|editor|inbox|mailed_link|menu|moderation_dialog|moderation_page|report|settings|sign_out)_view[-.][^/]*$"
)  # of the build, with a hash, and of the sources


@dataclass
class Held:
    """Requests for the code of parts. They wait until they are let through."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    let_through: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, route: Route) -> None:
        self.asked.set()
        await self.let_through.wait()
        await route.continue_()


@asynccontextmanager
async def holding(context: BrowserContext) -> AsyncIterator[Held]:
    held = Held()
    await context.route(PARTS, held.answer)
    try:
        yield held
    finally:
        held.let_through.set()
        await context.unroute(PARTS, held.answer)


async def lose(route: Route) -> None:
    await route.abort()


async def test_a_guest_who_presses_sign_up_while_its_code_loads_gets_that_form(open_browser: OpenBrowser) -> None:
    guest = await open_browser()
    async with holding(guest.context) as held:
        await guest.page.locator(".account__sign-in").click()
        await held.asked.wait()
        await guest.page.locator(".account__sign-up").click()
        assert not await guest.page.locator(".entry").is_visible()
        held.let_through.set()
        await guest.page.locator(".entry[open][data-mode=signup]").wait_for()
        await guest.focus_is_on(".entry [name=username]")
    await guest.page.keyboard.press("Escape")
    await guest.focus_is_on(".account__sign-up")


async def test_a_form_whose_code_could_not_be_loaded_can_be_opened_again(
    open_browser: OpenBrowser, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    async with site.client() as client:
        await sign_up(client, "Alice")
    guest = await open_browser()
    await guest.context.route(PARTS, lose)
    await guest.page.locator(".account__sign-in").click()
    retry = guest.page.locator(".notice__retry")
    await retry.wait_for()
    words = await guest.page.locator(".notice__words").inner_text()
    assert words == "Couldn't load this part of the page. Check your connection."
    assert not await guest.page.locator(".notice__sign-in").is_visible()
    await guest.context.unroute(PARTS, lose)
    await retry.click()
    await guest.fill(".entry", email=email_of("Alice"), password=PASSWORD)
    await guest.is_signed_in("Alice")
    assert not await guest.page.locator(".notice").is_visible()


async def test_alice_writes_and_hears_bob_without_any_part(open_browser: OpenBrowser, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    alice, bob = await open_browser("Alice", at="/account"), await open_browser("Bob")
    await alice.context.route(PARTS, lose)
    await alice.go("/Article/1")
    await alice.write("Buy walnuts")
    await bob.sees("Buy walnuts")
    await bob.write("And raisins")
    await alice.sees("Buy walnuts", "And raisins")
    assert not await alice.page.locator(".notice").is_visible()  # nobody has needed a part


async def test_alice_edits_a_comment_once_the_editor_is_there(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", at="/account")
    await write(alice.client, "Buy almonds")
    async with holding(alice.context) as held:
        await alice.page.goto("/Article/1")
        await held.asked.wait()
        await alice.page.locator(".comment__edit").click()
        await alice.page.locator(".comment__edit").click()
        held.let_through.set()
        await alice.focus_is_on(".editor textarea")
    assert await alice.page.locator(".editor").count() == 1
    await alice.page.keyboard.type(" and walnuts")
    await alice.page.locator(".editor__save").click()
    await alice.sees("Buy almonds and walnuts")


async def test_a_name_typed_and_sent_while_the_settings_load_is_changed(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")
    async with holding(alice.context) as held:
        await alice.page.goto("/account")
        await held.asked.wait()
        await alice.page.locator(".username [name=username]").fill("Alicia")
        await alice.page.keyboard.press("Enter")
        held.let_through.set()
        await alice.page.locator(".account__name", has_text="Alicia").wait_for()
