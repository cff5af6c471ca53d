"""Lazily loaded code: a person's clicks and typed text are not lost while it loads."""

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
    r"/(auth_dialog|cards|editor|follow|inbox|mailed_link|menu|moderation_dialog|moderation_page|report|settings|sign_out)_view[-.][^/]*$"
)  # the names of bundles have a hash, the names of sources have none


@dataclass
class HeldCode:
    """Requests for the code of lazy parts. They wait until the test releases them."""

    requested: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def respond(self, route: Route) -> None:
        self.requested.set()
        await self.released.wait()
        await route.continue_()


@asynccontextmanager
async def hold_code(context: BrowserContext) -> AsyncIterator[HeldCode]:
    held = HeldCode()
    await context.route(PARTS, held.respond)
    try:
        yield held
    finally:
        held.released.set()
        await context.unroute(PARTS, held.respond)


async def abort(route: Route) -> None:
    await route.abort()


async def test_a_guest_who_presses_sign_up_while_its_code_loads_gets_the_sign_up_form(
    open_browser: OpenBrowser,
) -> None:
    guest = await open_browser()
    async with hold_code(guest.context) as held:
        await guest.page.locator(".account__sign-in").click()
        await held.requested.wait()
        await guest.page.locator(".account__sign-up").click()
        assert not await guest.page.locator(".entry").is_visible()
        held.released.set()
        await guest.page.locator(".entry[open][data-mode=signup]").wait_for()
        await guest.focus_is_on(".entry [name=username]")
    await guest.page.keyboard.press("Escape")
    await guest.focus_is_on(".account__sign-up")


async def test_a_guest_can_open_a_form_again_after_its_code_failed_to_load(
    open_browser: OpenBrowser, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    async with site.client() as client:
        await sign_up(client, "Alice")
    guest = await open_browser()
    await guest.context.route(PARTS, abort)
    await guest.page.locator(".account__sign-in").click()
    retry = guest.page.locator(".notice__retry")
    await retry.wait_for()
    words = await guest.page.locator(".notice__words").inner_text()
    assert words == "Couldn't load this part of the page. Check your connection."
    assert not await guest.page.locator(".notice__sign-in").is_visible()
    await guest.context.unroute(PARTS, abort)
    await retry.click()
    await guest.fill(".entry", email=email_of("Alice"), password=PASSWORD)
    await guest.is_signed_in("Alice")
    assert not await guest.page.locator(".notice").is_visible()


async def test_alice_writes_and_sees_bobs_comment_without_any_lazy_code(
    open_browser: OpenBrowser, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    alice, bob = await open_browser("Alice", at="/account"), await open_browser("Bob")
    await alice.context.route(PARTS, abort)
    await alice.go("/Article/1")
    await alice.write("Buy walnuts")
    await bob.sees("Buy walnuts")
    await bob.write("And raisins")
    await alice.sees("Buy walnuts", "And raisins")
    assert not await alice.page.locator(".notice").is_visible()  # she needed no lazy code


async def test_alice_edits_a_comment_once_the_code_of_the_editor_is_loaded(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", at="/account")
    await write(alice.client, "Buy almonds")
    async with hold_code(alice.context) as held:
        await alice.page.goto("/Article/1")
        await held.requested.wait()
        await alice.page.locator(".comment__edit").click()
        await alice.page.locator(".comment__edit").click()
        held.released.set()
        await alice.focus_is_on(".editor textarea")
    assert await alice.page.locator(".editor").count() == 1
    await alice.page.keyboard.type(" and walnuts")
    await alice.page.locator(".editor__save").click()
    await alice.sees("Buy almonds and walnuts")


async def test_alice_changes_her_name_while_the_code_of_the_page_loads(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")
    async with hold_code(alice.context) as held:
        await alice.page.goto("/account")
        await held.requested.wait()
        await alice.page.locator(".username [name=username]").fill("Alicia")
        await alice.page.keyboard.press("Enter")
        held.released.set()
        await alice.page.locator(".account__name", has_text="Alicia").wait_for()
