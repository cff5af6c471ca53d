"""A browser that stores nothing: unsent changes live as long as the page, and the page shows a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.network_faults import advance_clock_until, api_unreachable
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import SENT
from tests.browser.test_stream_leader import find_leader
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

WITHOUT_STORAGE = {
    "open throws": "IDBFactory.prototype.open = () => { throw new DOMException('No', 'SecurityError') }",
    "open fails": "IDBFactory.prototype.open = function () { return Object.assign(new EventTarget(), "
    "{ readyState: 'done', get error() { return new DOMException('No', 'InvalidStateError') } }) }",
    "no IndexedDB": "delete window.indexedDB",
    "a full disk": "IDBObjectStore.prototype.put = () => { throw new DOMException('Full', 'QuotaExceededError') }",
}
# Listens on the bus of the page as soon as it exists.
RECORD_VOLATILE = """
let backbone;
const listen = () => {
  if (window.volatile || !backbone?.Radio) return;
  window.volatile = [];
  backbone.Radio.channel("parley").on("local.outbox.volatile", () => window.volatile.push(Date.now()));
};
const set = (it) => { backbone = it; listen(); };
Object.defineProperty(window, "Backbone", { configurable: true, get: () => backbone, set });
"""


@pytest.fixture(autouse=True)
def allow_expected_errors(page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    page_errors.allow("not kept beyond this page")


@pytest.mark.parametrize("how", WITHOUT_STORAGE)
async def test_alice_can_write_in_a_browser_without_storage_while_the_page_is_open(
    how: str, open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site
) -> None:
    alice = await open_browser("Alice", clock=True, scripts=[RECORD_VOLATILE, WITHOUT_STORAGE[how]])
    other = await alice.open_another_tab()
    leader = await find_leader([alice, other])
    follower = other if leader is alice else alice
    await leader.write("From the leader")
    await leader.is_settled()  # each tab sends its own changes here, so the order is that of the requests
    await follower.write("From the other")
    for tab in (leader, follower):
        await tab.until("window.volatile?.length > 0", "the warning")
        await tab.until("parley.comments.length === 2", "both comments")
    async with api_unreachable(alice, site):
        await follower.write("Unsent")
        await follower.edit_in_model("Unsent", "Unsent, edited")
        await follower.edit_in_model("From the other", "From the other, edited")
        await write(carol_client, "From elsewhere")
        await alice.context.clock.fast_forward(1_000)
        assert await follower.bodies() == ["From the leader", "From the other, edited", "Unsent, edited"]
    await advance_clock_until(follower, SENT, "an empty outbox")
    await follower.sees("From the leader", "From the other, edited", "From elsewhere", "Unsent, edited")
    await alice.every_tab_matches_server()
