"""Pages without scripts, or whose scripts fail to load: people can read and post, and every visible button works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Browser, Page, Route

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import cookies_of
from tests.browser.sample_thread import write_sample_thread
from tests.support.people import person, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.browser.conftest import AddComments, OpenBrowser
    from tests.support.serving import Site

# The texts of all visible buttons and links.
CONTROLS = """() => Array.from(document.querySelectorAll("button, a[href]"))
  .filter((el) => el.checkVisibility({ visibilityProperty: true }))
  .map((el) => (el.getAttribute("aria-label") ?? el.textContent).trim())"""
SCRIPTS = "**/*.js"
SCRIPT_BUTTONS = {
    "Sign in",
    "Sign up",
    "Sign out",
    "Reply",
    "Edit",
    "Delete",
    "More",
    "Notifications",
    "Oldest first",
    "Like",
}


@pytest.fixture
async def page(browser: Browser, site: Site) -> AsyncIterator[Page]:
    """Alice's page, in a browser that runs no scripts."""
    async with (
        person(site, "Alice") as alice,
        await browser.new_context(base_url=site.url, java_script_enabled=False) as context,
    ):
        await context.add_cookies(cookies_of(alice))
        yield await context.new_page()


async def save_screenshot(page: Page, name: str, request: pytest.FixtureRequest) -> None:
    """Save a screenshot for `pytest --screenshots docs`. Other runs save none, because it takes a second."""
    if directory := request.config.getoption("screenshots", None):
        await page.locator(".thread").scroll_into_view_if_needed()
        await page.screenshot(path=directory / "pictures" / f"{name}.png", full_page=True)


async def follow_link(page: Page, link: str) -> None:
    """Click this link, and wait for the page that it leads to."""
    async with page.expect_navigation():
        await page.get_by_text(link).click()


async def block_scripts(page: Page) -> None:
    async def block(route: Route) -> None:
        await route.abort()

    await page.route(SCRIPTS, block)


async def test_alice_posts_with_scripts_switched_off_and_sees_no_button_without_effect(
    page: Page, site: Site, carol_client: httpx.AsyncClient, request: pytest.FixtureRequest
) -> None:
    async with person(site, "Bob") as bob, person(site, "Dora") as dora:
        await write_sample_thread(dora, bob, carol_client)
    await page.goto("/Article/1")
    await page.locator(".composer textarea").fill("Posted without scripts")
    await page.locator(".composer__post").click()
    await page.wait_for_url("**/Article/1#comment-*")
    assert (await page.locator(".comment__body").all_inner_texts())[-1] == "Posted without scripts"
    assert not SCRIPT_BUTTONS & set(await page.evaluate(CONTROLS))
    await save_screenshot(page, "without-scripts", request)


async def test_alice_follows_links_to_older_comments_with_scripts_switched_off(
    page: Page, add_comments: AddComments
) -> None:
    await add_comments(60)
    await page.goto("/Article/1")
    bodies = page.locator(".comment__body")
    await follow_link(page, "Load earlier comments")
    assert await bodies.count() == 10
    await follow_link(page, "Load newer comments")
    assert await bodies.count() == 50
    await page.goto("/Article/1?before=5")
    await follow_link(page, "Jump to latest")
    assert page.url.endswith("/Article/1")


async def test_alice_posts_though_the_script_fails_and_sees_no_button_without_effect(
    open_browser: OpenBrowser,
    site: Site,
    carol_client: httpx.AsyncClient,
    page_errors: PageErrors,
    request: pytest.FixtureRequest,
) -> None:
    page_errors.allow(NETWORK)
    alice = await open_browser("Alice")
    async with person(site, "Bob") as bob:
        await write_sample_thread(alice.client, bob, carol_client)
    await block_scripts(alice.page)
    await alice.page.goto("/Article/1")
    await alice.composer.fill("Posted without the script")
    await alice.page.locator(".composer__post").click()
    await alice.page.get_by_text("Posted without the script").wait_for()
    assert await alice.composer.input_value() == ""
    assert not SCRIPT_BUTTONS & set(await alice.page.evaluate(CONTROLS))
    await save_screenshot(alice.page, "script-blocked", request)
    await alice.page.unroute(SCRIPTS)
    await alice.reload()
    assert "Reply" in await alice.page.evaluate(CONTROLS)


async def test_alice_sees_nothing_move_when_a_late_script_runs(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    alice = await open_browser("Alice")
    await write(carol_client, "First")
    await alice.sees("First")
    positions = "() => Array.from(document.querySelectorAll('.comment, .composer__body'), (el) => el.offsetTop)"
    running = await alice.page.evaluate(positions)
    before = f"() => {{ delete document.documentElement.dataset.scripts; return ({positions})() }}"
    assert await alice.page.evaluate(before) == running


async def test_alice_reads_a_live_page_of_older_comments(open_browser: OpenBrowser, add_comments: AddComments) -> None:
    comments = await add_comments(60)
    alice = await open_browser("Alice", at=f"/Article/1?before={comments[55]['created_seq']}")
    assert await alice.page.evaluate("parley.comments.length") == 50
    await alice.page.locator(".thread__later").click()
    await alice.until("parley.comments.length === 55", "the newer comments")
    assert await alice.page.evaluate("location.search") == f"?before={comments[55]['created_seq']}", (
        "the page was not left"
    )
    await alice.page.reload()
    await alice.is_ready()
    await alice.page.locator(".thread__newest").click()
    await alice.until("parley.comments.after === null", "the newest")
    assert await alice.page.evaluate("location.search") == ""
