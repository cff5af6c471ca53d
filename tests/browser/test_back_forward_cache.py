"""A page that comes back from the browser's back-forward cache continues where it stopped.

Few browsers cache a page that the server forbids to store, so these tests allow it. Chromium does not cache a
page with an open IndexedDB transaction, so the test leaves a page only after its changes are settled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Browser, Playwright, Route

from tests.browser.network_faults import wait_for_streams
from tests.browser.people import Person
from tests.browser.test_stream_leader import find_leader, has_comment, open_tabs
from tests.support import chromium
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

TABS = 3
VISITS = 4


@pytest.fixture(scope="module")
async def browser(playwright: Playwright, launch_options: dict[str, Any]) -> AsyncIterator[Browser]:
    """A complete Chromium with a back-forward cache, which Playwright disables."""
    path = chromium.find(complete=True)
    if path is None:
        pytest.skip("needs a complete Chromium: the headless shell has no back-forward cache")
    options = {**launch_options, "executable_path": path, "ignore_default_args": ["--disable-back-forward-cache"]}
    async with await playwright.chromium.launch(**options) as browser:
        yield browser


@pytest.fixture
async def cached_pages(alice: Person) -> None:
    async def allow_storing(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, headers={**response.headers, "cache-control": "private"})

    await alice.context.route("**/Article/*", allow_storing)
    await alice.reload()


@pytest.mark.usefixtures("cached_pages")
async def test_alice_returns_to_a_cached_leading_tab_and_it_catches_up(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    tabs = await open_tabs(alice, TABS)
    for visit in range(VISITS):
        leader = await find_leader(tabs)
        others = [tab for tab in tabs if tab is not leader]
        await others[0].write(f"Alice, {visit}")
        for tab in tabs:
            await tab.is_settled()
        alice.requests.clear()
        await leader.page.evaluate("window.isCached = true")
        await leader.page.goto("/healthz", wait_until="commit")
        for article in ("1", "2"):
            await write(carol_client, f"Carol, {visit}", commentable_id=article)
        for tab in others:
            await tab.until(has_comment(f"Carol, {visit}"), "a change that another leader received")
        await leader.page.go_back(wait_until="commit")
        await leader.is_ready()
        reasons = "JSON.stringify(performance.getEntriesByType('navigation')[0].notRestoredReasons)"
        is_cached = await leader.page.evaluate("window.isCached")
        assert is_cached, f"the page was loaded again: {await leader.page.evaluate(reasons)}"
        await leader.until(has_comment(f"Carol, {visit}"), "the change that the page missed")
        assert not [request for request in alice.requests if request.startswith("GET /api/comments")]
        await wait_for_streams(site)
    await alice.every_tab_matches_server()
