"""Drafts: a text survives the end of its page, and only its author sees it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Error

from tests.browser.page_errors import PageErrors
from tests.browser.people import Person
from tests.support.people import PASSWORD, edit, sign_up
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

DAY_MS = 86_400_000

STORED = """() => Object.keys(localStorage).filter((key) => key.startsWith("parley.draft:"))
  .map((key) => JSON.parse(localStorage[key]).body).sort()"""
STORE = """(drafts) => {
  for (const [key, body, age] of drafts) {
    localStorage[`parley.draft:${key}`] = JSON.stringify({ body, base: null, at: Date.now() - age });
  }
}"""
REFUSE_STORAGE = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("No", "SecurityError"); } });
}"""
FILL_STORAGE = """() => {
  let text = "x".repeat(4_000_000);
  for (let number = 0; text !== ""; number += 1) {
    try {
      localStorage["full" + number] = text;
    } catch {
      text = text.slice(text.length / 2 + 1);
    }
  }
}"""


async def stored_drafts(person: Person) -> list[str]:
    """The texts of all drafts in local storage."""
    bodies: list[str] = await person.page.evaluate(STORED)
    return bodies


async def has_no_stored_draft(person: Person) -> None:
    """Wait until local storage has no draft: a posted text is deleted once the outbox has stored it."""
    await wait_until(lambda: _has_none(person), "no stored draft")


async def _has_none(person: Person) -> bool:
    return await stored_drafts(person) == []


async def sees_draft(person: Person, text: str) -> None:
    await person.until(f"document.querySelector('.composer textarea').value === {json.dumps(text)}", f"“{text}”")


# -- the composer ----------------------------------------------------------------------------------------------


async def test_alice_finds_her_draft_after_a_reload(alice: Person) -> None:
    await alice.composer.fill("Half a thought,\n\n  with paragraphs")
    await alice.reload()
    await sees_draft(alice, "Half a thought,\n\n  with paragraphs")
    await alice.go("/Page/about")
    await sees_draft(alice, "")
    await alice.go("/Article/1")
    await sees_draft(alice, "Half a thought,\n\n  with paragraphs")


async def test_alice_finds_her_draft_after_she_closed_the_tab(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    await alice.page.close()
    tab = await alice.open_another_tab()
    await sees_draft(tab, "Half a thought")


async def test_alice_finds_her_draft_after_a_crash(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    with pytest.raises(Error, match="crash"):
        await alice.page.goto("chrome://crash")
    tab = await alice.open_another_tab()
    await sees_draft(tab, "Half a thought")


async def test_alice_has_no_draft_after_she_posts_or_clears_the_text(alice: Person) -> None:
    await alice.write("Said")
    await alice.is_settled()
    await has_no_stored_draft(alice)
    await alice.composer.fill("Never mind")
    await alice.composer.fill("")
    await has_no_stored_draft(alice)
    await alice.reload()
    await sees_draft(alice, "")


async def test_alice_keeps_what_she_typed_before_the_script_ran(alice: Person, page_errors: PageErrors) -> None:
    await alice.composer.fill("An older thought")
    html = await (await alice.context.request.get("/Article/1")).text()
    early = html.replace("</textarea>", "A newer one</textarea>", 1)
    await alice.page.route("**/Article/1", lambda route: route.fulfill(body=early, content_type="text/html"))
    await alice.reload()
    await sees_draft(alice, "A newer one")
    assert await stored_drafts(alice) == ["A newer one", "An older thought"], "both are stored"


async def test_alice_has_a_draft_in_each_of_two_tabs(alice: Person) -> None:
    tab = await alice.open_another_tab()
    await alice.composer.fill("Here")
    await tab.composer.fill("There")
    await alice.reload()
    await tab.reload()
    await sees_draft(alice, "Here")
    await sees_draft(tab, "There")


async def test_alices_second_tab_stores_no_copy_of_her_draft(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    tab = await alice.open_another_tab()
    await sees_draft(tab, "Half a thought")
    await alice.composer.press("Control+Enter")
    await alice.sees("Half a thought")
    await has_no_stored_draft(alice)


async def test_alice_continues_a_draft_in_one_tab_and_writes_another_text_in_the_second(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    tab = await alice.open_another_tab()
    await sees_draft(tab, "Half a thought")
    await alice.composer.fill("Half a thought and more")
    await tab.composer.fill("Another thought")
    assert await stored_drafts(alice) == ["Another thought", "Half a thought and more"]
    await alice.write("Said")
    await tab.write("Said there")
    await alice.sees("Said", "Said there")
    await has_no_stored_draft(alice)


async def test_alice_posts_the_draft_of_a_closed_tab_and_none_is_left(alice: Person) -> None:
    await alice.composer.fill("Said")
    await alice.page.close()
    tab = await alice.open_another_tab()
    await sees_draft(tab, "Said")
    await tab.composer.press("Control+Enter")
    await tab.sees("Said")
    await has_no_stored_draft(tab)


# -- the author ------------------------------------------------------------------------------------------------


async def test_a_guests_draft_belongs_to_the_account_that_signs_in(guest: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
    await guest.composer.fill("I shall say who I am")
    await guest.reload()
    await sees_draft(guest, "I shall say who I am")
    await guest.go("/")
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    await guest.go("/Article/1")
    await sees_draft(guest, "I shall say who I am")
    await guest.page.locator(".account__sign-out").click()
    await guest.page.locator(".sign-out__yes").click()
    await guest.is_guest()
    await sees_draft(guest, "")


async def test_a_guests_draft_does_not_replace_an_older_draft_of_alice(guest: Person, site: Site) -> None:
    async with site.client() as client:
        alice = await sign_up(client, "Alice")
    tab = await guest.page.evaluate("sessionStorage['parley.draft.tab']")
    await guest.page.evaluate(STORE, [[f"{alice['id']}:{tab}:Article/1", "From last week", 7 * DAY_MS]])
    await guest.composer.fill("From today")
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    assert await stored_drafts(guest) == ["From last week", "From today"]
    await guest.composer.press("Control+Enter")
    await guest.sees("From today")
    await guest.is_settled()
    await guest.reload()
    await sees_draft(guest, "From last week")


async def test_alice_is_asked_before_signing_out_deletes_her_drafts(alice: Person) -> None:
    await alice.write("Mine")
    await alice.is_settled()
    await alice.composer.fill("Half a thought")
    tab = await alice.open_another_tab()
    await tab.open_editor("Mine")
    await tab.editor.fill("Second thoughts")
    await alice.page.locator(".account__sign-out").click()
    await alice.sees_text(".sign-out__words", "2 unsent drafts")
    await alice.page.locator(".sign-out__no").click()
    await alice.is_signed_in()
    await sees_draft(alice, "Half a thought")
    assert await stored_drafts(alice) == ["Half a thought", "Second thoughts"]

    await alice.page.locator(".account__sign-out").click()
    await alice.page.locator(".sign-out__yes").click()
    for here in (alice, tab):
        await here.is_guest()
        assert await stored_drafts(here) == []
    await sees_draft(alice, "")
    assert await tab.editor.input_value() == "Second thoughts", "an open field in another tab keeps its text"


async def test_alice_signs_out_at_once_without_drafts(alice: Person) -> None:
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()


async def test_alice_leaves_no_draft_behind_when_her_account_is_deleted(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    form = {"current_password": PASSWORD, "comments": "keep"}
    assert (await alice.client.post("/api/account/deletion", json=form)).status_code == 204
    await alice.is_guest()
    await sees_draft(alice, "")
    await has_no_stored_draft(alice)


async def test_alice_keeps_her_draft_when_her_login_expires(alice: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Bob")
    await alice.composer.fill("Half a thought")
    await alice.page.evaluate("parley.connector.close()")
    await alice.client.delete("/api/session")
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'expired' })")
    await alice.is_guest()
    await sees_draft(alice, "Half a thought")

    await alice.reload()
    await sees_draft(alice, "")  # the browser has no login now, and the draft is Alice's
    await alice.open_sign_in()
    await alice.sign_in("Bob")
    await sees_draft(alice, "")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.open_sign_in()
    await alice.sign_in("Alice")
    await sees_draft(alice, "Half a thought")


# -- editors --------------------------------------------------------------------------------------------------


async def test_alice_finds_her_editor_open_after_a_reload(alice: Person) -> None:
    await alice.write_and_start_edit("As it was", "As it will be")
    await alice.reload()
    assert await alice.editor.input_value() == "As it will be"
    assert await alice.page.evaluate("document.activeElement === document.body")
    assert not await alice.page.locator(".editor__conflict").is_visible()
    await alice.page.locator(".editor__save").click()
    await alice.sees("As it will be")
    await alice.is_settled()
    await has_no_stored_draft(alice)
    await alice.reload()
    assert await alice.page.locator(".editor").count() == 0


@pytest.mark.parametrize("how", ["key", "button"])
async def test_alice_closes_an_editor_and_continues_her_text_later(how: str, alice: Person) -> None:
    await alice.write_and_start_edit("As it was", "As it will be,\nin twenty lines")
    if how == "key":
        await alice.editor.press("Escape")
    else:
        await alice.page.locator(".editor__cancel").click()
    assert await alice.page.locator(".editor").count() == 0
    await alice.reload()
    assert await alice.page.locator(".editor").count() == 0
    await alice.page.locator(".comment__unsaved .unsaved__continue").click()
    assert await alice.editor.input_value() == "As it will be,\nin twenty lines"
    await alice.editor.press("Escape")
    await alice.comment("As it was").locator(".comment__edit").click()
    assert await alice.editor.input_value() == "As it will be,\nin twenty lines"

    await alice.editor.press("Escape")
    await alice.page.locator(".unsaved__discard").click()
    assert await stored_drafts(alice) == []
    await alice.open_editor("As it was")
    assert await alice.editor.input_value() == "As it was"
    await alice.editor.press("Escape")
    assert await alice.page.locator(".comment__unsaved").count() == 0, "she changed nothing"


@pytest.mark.parametrize("event", [{"isComposing": True}, {"keyCode": 229}], ids=["composing", "Safari's last key"])
async def test_alice_types_with_an_input_method_without_triggering_commands(
    event: dict[str, object], alice: Person
) -> None:
    await alice.write_and_start_edit("As it was", "変換")
    await alice.composer.fill("変換")
    press = """([selector, init]) => document.querySelector(selector).dispatchEvent(
      new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init }))"""
    for key in ({"key": "Escape"}, {"key": "Enter", "ctrlKey": True}):
        for field in (".editor textarea", ".composer textarea"):
            await alice.page.evaluate(press, [field, {**key, **event}])
    assert await alice.editor.input_value() == "変換"
    await sees_draft(alice, "変換")
    assert await alice.page.evaluate("parley.outbox.records.length") == 0


async def test_alice_sees_a_conflict_with_a_change_from_while_she_was_on_another_page(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three", "one two three four")
    await alice.go("/Page/about")
    await edit(alice.client, comment, "1 two three")
    await alice.go("/Article/1")
    await alice.page.locator(".editor__conflict").wait_for()
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["1 "]
    await alice.page.locator(".editor__merge").click()
    await alice.reload()
    assert await alice.editor.input_value() == "1 two three four"
    assert not await alice.page.locator(".editor__conflict").is_visible(), "the merged version is the base of the edit"
    await alice.page.locator(".editor__save").click()
    await alice.sees("1 two three four")
    await alice.matches_server()


async def test_alice_finds_her_editor_when_she_signs_in_again(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")
    await alice.write_and_start_edit("As it was", "As it will be")
    await alice.page.evaluate("parley.connector.close()")
    await alice.client.delete("/api/session")
    await alice.reload()
    await alice.is_guest()
    assert await alice.page.locator(".editor").count() == 0
    await alice.open_sign_in()
    await alice.sign_in("Alice")
    await alice.editor.wait_for()
    assert await alice.editor.input_value() == "As it will be"


# -- bounds ----------------------------------------------------------------------------------------------------


async def test_a_guest_has_at_most_fifty_drafts_and_the_oldest_are_deleted(guest: Person) -> None:
    many = [[f"somebody:tab{number}:Page/about", f"{number:02}", number * 1_000] for number in range(60)]
    await guest.page.evaluate(STORE, many)
    await guest.composer.fill("One more")
    assert await stored_drafts(guest) == [f"{number:02}" for number in range(49)] + ["One more"]


async def test_a_persons_drafts_expire_after_a_month_and_a_guests_after_a_day(guest: Person) -> None:
    drafts = [
        ["somebody:a:Page/about", "a month", 31 * DAY_MS],
        ["somebody:b:Page/about", "weeks", 29 * DAY_MS],
        ["guest:a:Page/about", "a guest's, two days", 2 * DAY_MS],
        ["guest:b:Page/about", "a guest's, hours", DAY_MS / 2],
    ]
    await guest.page.evaluate(STORE, drafts)
    await guest.reload()
    assert await stored_drafts(guest) == ["a guest's, hours", "weeks"]


@pytest.mark.parametrize("nonsense", ["", "null", "{", '"text"', '{"body": 5, "at": 1}', '{"body": "No date"}'])
async def test_a_guest_can_write_although_stored_drafts_are_malformed(nonsense: str, guest: Person) -> None:
    tab = await guest.page.evaluate("sessionStorage['parley.draft.tab']")
    keys = [f"parley.draft:guest:{tab}:Article/1", "parley.draft:guest:other:Article/1", "parley.draft:"]
    await guest.page.evaluate("([keys, text]) => keys.forEach((key) => (localStorage[key] = text))", [keys, nonsense])
    await guest.reload()
    await sees_draft(guest, "")
    await guest.composer.fill("As ever")
    await guest.reload()
    await sees_draft(guest, "As ever")


async def test_alice_can_write_in_a_browser_without_storage(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", scripts=[REFUSE_STORAGE])
    await alice.composer.fill("Half a thought")
    await alice.write("Said")
    await alice.sees("Said")
    await alice.is_settled()
    await alice.edit("Said", "Said better")
    await alice.sees("Said better")
    await alice.matches_server()


async def test_a_guest_keeps_a_draft_in_the_page_while_the_storage_is_full(guest: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
    await guest.page.evaluate(FILL_STORAGE)
    await guest.composer.fill("Half a thought")
    assert await stored_drafts(guest) == []
    await guest.page.evaluate("document.querySelector('.composer textarea').value = ''")
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    await sees_draft(guest, "Half a thought")
