"""A text whose comment is no more: it stays until its author has given it up, across reloads and tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.network_faults import api_unreachable
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import delete, write

if TYPE_CHECKING:
    from tests.support.serving import Site

KEPT = "Array.from(document.querySelectorAll('.kept__text'), (el) => el.textContent)"


async def edits_what_is_deleted_meanwhile(alice: Person, site: Site) -> None:
    comment = await write(alice.client, "Short-lived")
    await alice.sees("Short-lived")
    async with api_unreachable(alice, site):
        await alice.edit("Short-lived", "A long and careful text")
        await alice.sees("A long and careful text")
        await delete(alice.client, comment)
        await alice.page.evaluate("parley.outbox.kept()")


async def test_it_stays_where_it_was_written(alice: Person, site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await edits_what_is_deleted_meanwhile(alice, site)
    await alice.page.locator(".editor__problem").wait_for()
    assert await alice.editor.input_value() == "A long and careful text"
    await alice.until("parley.outbox.records[0]?.problem?.status === 404", "the server's word")
    await alice.page.locator(".editor__cancel").click()
    await alice.until("parley.outbox.records.length === 0", "it to be given up")
    await alice.matches_server()


async def test_it_is_there_after_a_reload_and_in_all_tabs(alice: Person, site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await edits_what_is_deleted_meanwhile(alice, site)
    await alice.until("parley.outbox.records[0]?.problem?.status === 404", "the server's word")
    await alice.reload()
    other = await alice.open_another_tab()
    for tab in (alice, other):
        await tab.until(f"{KEPT}.length === 1", "the text")
        assert await tab.page.evaluate(KEPT) == ["A long and careful text"]
        assert "Couldn't save your changes." in await tab.page.locator(".kept__why").inner_text()
    await other.page.locator(".kept__discard").click()
    for tab in (alice, other):
        await tab.until(f"{KEPT}.length === 0", "it to be given up")
        await tab.matches_server()


async def test_it_is_nobody_elses(alice: Person, site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await edits_what_is_deleted_meanwhile(alice, site)
    await alice.until("parley.outbox.records[0]?.problem?.status === 404", "the server's word")
    await alice.reload()
    await alice.until(f"{KEPT}.length === 1", "the text")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.until(f"{KEPT}.length === 0", "it to be out of sight")
