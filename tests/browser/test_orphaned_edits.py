"""Orphaned edits: the text of an edit whose comment was deleted stays until its author discards it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.network_faults import api_unreachable
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import delete, write

if TYPE_CHECKING:
    from tests.support.serving import Site

ORPHANED_TEXTS = "Array.from(document.querySelectorAll('.kept__text'), (el) => el.textContent)"


async def edit_a_deleted_comment(alice: Person, site: Site) -> None:
    comment = await write(alice.client, "Short-lived")
    await alice.sees("Short-lived")
    async with api_unreachable(alice, site):
        await alice.edit("Short-lived", "A long and careful text")
        await alice.sees("A long and careful text")
        await delete(alice.client, comment)
        await alice.page.evaluate("parley.outbox.kept()")


async def test_alice_keeps_her_text_in_the_editor_of_a_deleted_comment(
    alice: Person, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await edit_a_deleted_comment(alice, site)
    await alice.page.locator(".editor__problem").wait_for()
    assert await alice.editor.input_value() == "A long and careful text"
    await alice.until("parley.outbox.records[0]?.problem?.status === 404", "the refusal")
    await alice.page.locator(".editor__cancel").click()
    await alice.until("parley.outbox.records.length === 0", "the text to be discarded")
    await alice.matches_server()


async def test_alice_finds_her_text_after_a_reload_and_in_all_tabs(
    alice: Person, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await edit_a_deleted_comment(alice, site)
    await alice.until("parley.outbox.records[0]?.problem?.status === 404", "the refusal")
    await alice.reload()
    other = await alice.open_another_tab()
    for tab in (alice, other):
        await tab.until(f"{ORPHANED_TEXTS}.length === 1", "the text")
        assert await tab.page.evaluate(ORPHANED_TEXTS) == ["A long and careful text"]
        assert "Couldn't save your changes." in await tab.page.locator(".kept__why").inner_text()
    await other.page.locator(".kept__discard").click()
    for tab in (alice, other):
        await tab.until(f"{ORPHANED_TEXTS}.length === 0", "the text to be discarded")
        await tab.matches_server()


async def test_alices_text_is_not_shown_after_she_signs_out(alice: Person, site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await edit_a_deleted_comment(alice, site)
    await alice.until("parley.outbox.records[0]?.problem?.status === 404", "the refusal")
    await alice.reload()
    await alice.until(f"{ORPHANED_TEXTS}.length === 1", "the text")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.until(f"{ORPHANED_TEXTS}.length === 0", "the text to disappear")
