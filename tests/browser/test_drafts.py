"""What somebody is typing is there again, whatever happens to the page, and for nobody else."""

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

DAY = 86_400_000  # milliseconds

KEPT = """() => Object.keys(localStorage).filter((key) => key.startsWith("parley.draft:"))
  .map((key) => JSON.parse(localStorage[key]).body).sort()"""
PLANT = """(drafts) => {
  for (const [key, body, age] of drafts) {
    localStorage[`parley.draft:${key}`] = JSON.stringify({ body, base: null, at: Date.now() - age });
  }
}"""
REFUSE = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("No", "SecurityError"); } });
}"""
FILL = """() => {
  let text = "x".repeat(4_000_000);
  for (let number = 0; text !== ""; number += 1) {
    try {
      localStorage["full" + number] = text;
    } catch {
      text = text.slice(text.length / 2 + 1);
    }
  }
}"""


async def kept(person: Person) -> list[str]:
    """All drafts that this browser keeps."""
    bodies: list[str] = await person.page.evaluate(KEPT)
    return bodies


async def keeps_nothing(person: Person) -> None:
    """Waits until what was posted is safe elsewhere, and so needs no draft any more."""
    await wait_until(lambda: _has_none(person), "no draft to be left")


async def _has_none(person: Person) -> bool:
    return await kept(person) == []


async def has_typed(person: Person, text: str) -> None:
    await person.until(f"document.querySelector('.composer textarea').value === {json.dumps(text)}", f"“{text}”")


# -- the composer ----------------------------------------------------------------------------------------------


async def test_it_is_there_after_a_reload(alice: Person) -> None:
    await alice.composer.fill("Half a thought,\n\n  with paragraphs")
    await alice.reload()
    await has_typed(alice, "Half a thought,\n\n  with paragraphs")
    await alice.go("/Page/about")
    await has_typed(alice, "")
    await alice.go("/Article/1")
    await has_typed(alice, "Half a thought,\n\n  with paragraphs")


async def test_it_is_there_after_the_tab_was_closed(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    await alice.page.close()
    tab = await alice.open_another_tab()
    await has_typed(tab, "Half a thought")


async def test_it_is_there_after_a_crash(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    with pytest.raises(Error, match="crash"):
        await alice.page.goto("chrome://crash")
    tab = await alice.open_another_tab()
    await has_typed(tab, "Half a thought")


async def test_what_is_posted_or_taken_back_is_no_draft(alice: Person) -> None:
    await alice.write("Said")
    await alice.is_settled()
    await keeps_nothing(alice)
    await alice.composer.fill("Never mind")
    await alice.composer.fill("")
    await keeps_nothing(alice)
    await alice.reload()
    await has_typed(alice, "")


async def test_what_was_typed_before_the_script_came_stays(alice: Person, page_errors: PageErrors) -> None:
    await alice.composer.fill("An older thought")
    html = await (await alice.context.request.get("/Article/1")).text()
    early = html.replace("</textarea>", "A newer one</textarea>", 1)
    await alice.page.route("**/Article/1", lambda route: route.fulfill(body=early, content_type="text/html"))
    await alice.reload()
    await has_typed(alice, "A newer one")
    assert await kept(alice) == ["A newer one", "An older thought"], "neither replaces the other"


async def test_two_tabs_keep_what_is_typed_in_each(alice: Person) -> None:
    tab = await alice.open_another_tab()
    await alice.composer.fill("Here")
    await tab.composer.fill("There")
    await alice.reload()
    await tab.reload()
    await has_typed(alice, "Here")
    await has_typed(tab, "There")


async def test_a_tab_that_only_looks_on_leaves_no_copy(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    tab = await alice.open_another_tab()
    await has_typed(tab, "Half a thought")
    await alice.composer.press("Control+Enter")
    await alice.sees("Half a thought")
    await keeps_nothing(alice)


async def test_a_new_tab_takes_only_what_the_other_does_not_go_on_with(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    tab = await alice.open_another_tab()
    await has_typed(tab, "Half a thought")
    await alice.composer.fill("Half a thought and more")
    await tab.composer.fill("Another thought")
    assert await kept(alice) == ["Another thought", "Half a thought and more"]
    await alice.write("Said")
    await tab.write("Said there")
    await alice.sees("Said", "Said there")
    await keeps_nothing(alice)


async def test_what_a_new_tab_has_posted_is_gone_for_all(alice: Person) -> None:
    await alice.composer.fill("Said")
    await alice.page.close()
    tab = await alice.open_another_tab()
    await has_typed(tab, "Said")
    await tab.composer.press("Control+Enter")
    await tab.sees("Said")
    await keeps_nothing(tab)


# -- whose it is -----------------------------------------------------------------------------------------------


async def test_a_guests_text_is_that_of_whoever_signs_in(guest: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
    await guest.composer.fill("I shall say who I am")
    await guest.reload()
    await has_typed(guest, "I shall say who I am")
    await guest.go("/")
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    await guest.go("/Article/1")
    await has_typed(guest, "I shall say who I am")
    await guest.page.locator(".account__sign-out").click()
    await guest.page.locator(".sign-out__yes").click()
    await guest.is_guest()
    await has_typed(guest, "")


async def test_it_does_not_take_the_place_of_what_they_had_there(guest: Person, site: Site) -> None:
    async with site.client() as client:
        alice = await sign_up(client, "Alice")
    tab = await guest.page.evaluate("sessionStorage['parley.draft.tab']")
    await guest.page.evaluate(PLANT, [[f"{alice['id']}:{tab}:Article/1", "From last week", 7 * DAY]])
    await guest.composer.fill("From today")
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    assert await kept(guest) == ["From last week", "From today"]
    await guest.composer.press("Control+Enter")
    await guest.sees("From today")
    await guest.is_settled()
    await guest.reload()
    await has_typed(guest, "From last week")


async def test_a_person_who_signs_out_is_asked_and_leaves_nothing_behind(alice: Person) -> None:
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
    await has_typed(alice, "Half a thought")
    assert await kept(alice) == ["Half a thought", "Second thoughts"]

    await alice.page.locator(".account__sign-out").click()
    await alice.page.locator(".sign-out__yes").click()
    for here in (alice, tab):
        await here.is_guest()
        assert await kept(here) == []
    await has_typed(alice, "")
    assert await tab.editor.input_value() == "Second thoughts", "a field that is open in another tab stays so"


async def test_a_person_without_drafts_signs_out_at_once(alice: Person) -> None:
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()


async def test_whose_account_is_deleted_leaves_nothing_behind(alice: Person) -> None:
    await alice.composer.fill("Half a thought")
    form = {"current_password": PASSWORD, "comments": "keep"}
    assert (await alice.client.post("/api/account/deletion", json=form)).status_code == 204
    await alice.is_guest()
    await has_typed(alice, "")
    await keeps_nothing(alice)


async def test_a_login_that_ends_by_itself_takes_nothing_away(alice: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Bob")
    await alice.composer.fill("Half a thought")
    await alice.page.evaluate("parley.connector.close()")
    await alice.client.delete("/api/session")
    await alice.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'expired' })")
    await alice.is_guest()
    await has_typed(alice, "Half a thought")

    await alice.reload()
    await has_typed(alice, "")  # it is Alice's, and who is here now nobody knows
    await alice.open_sign_in()
    await alice.sign_in("Bob")
    await has_typed(alice, "")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.open_sign_in()
    await alice.sign_in("Alice")
    await has_typed(alice, "Half a thought")


# -- an editor -------------------------------------------------------------------------------------------------


async def test_an_open_editor_is_open_again(alice: Person) -> None:
    await alice.write_and_start_edit("As it was", "As it will be")
    await alice.reload()
    assert await alice.editor.input_value() == "As it will be"
    assert await alice.page.evaluate("document.activeElement === document.body")
    assert not await alice.page.locator(".editor__conflict").is_visible()
    await alice.page.locator(".editor__save").click()
    await alice.sees("As it will be")
    await alice.is_settled()
    await keeps_nothing(alice)
    await alice.reload()
    assert await alice.page.locator(".editor").count() == 0


@pytest.mark.parametrize("how", ["key", "button"])
async def test_a_changed_text_is_put_aside_and_comes_back(how: str, alice: Person) -> None:
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
    assert await kept(alice) == []
    await alice.open_editor("As it was")
    assert await alice.editor.input_value() == "As it was"
    await alice.editor.press("Escape")
    assert await alice.page.locator(".comment__unsaved").count() == 0, "nothing was changed"


@pytest.mark.parametrize("event", [{"isComposing": True}, {"keyCode": 229}], ids=["composing", "Safari's last key"])
async def test_a_key_of_an_input_method_is_no_command(event: dict[str, object], alice: Person) -> None:
    await alice.write_and_start_edit("As it was", "変換")
    await alice.composer.fill("変換")
    press = """([selector, init]) => document.querySelector(selector).dispatchEvent(
      new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init }))"""
    for key in ({"key": "Escape"}, {"key": "Enter", "ctrlKey": True}):
        for field in (".editor textarea", ".composer textarea"):
            await alice.page.evaluate(press, [field, {**key, **event}])
    assert await alice.editor.input_value() == "変換"
    await has_typed(alice, "変換")
    assert await alice.page.evaluate("parley.outbox.records.length") == 0


async def test_what_changed_while_one_was_away_is_no_less_a_conflict(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three", "one two three four")
    await alice.go("/Page/about")
    await edit(alice.client, comment, "1 two three")
    await alice.go("/Article/1")
    await alice.page.locator(".editor__conflict").wait_for()
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["1 "]
    await alice.page.locator(".editor__merge").click()
    await alice.reload()
    assert await alice.editor.input_value() == "1 two three four"
    assert not await alice.page.locator(".editor__conflict").is_visible(), "what was put together is written on that"
    await alice.page.locator(".editor__save").click()
    await alice.sees("1 two three four")
    await alice.matches_server()


async def test_an_editor_comes_back_with_its_person(open_browser: OpenBrowser) -> None:
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


async def test_there_are_only_so_many_and_the_oldest_go(guest: Person) -> None:
    many = [[f"somebody:tab{number}:Page/about", f"{number:02}", number * 1_000] for number in range(60)]
    await guest.page.evaluate(PLANT, many)
    await guest.composer.fill("One more")
    assert await kept(guest) == [f"{number:02}" for number in range(49)] + ["One more"]


async def test_they_do_not_last_for_ever_and_a_guests_only_a_day(guest: Person) -> None:
    drafts = [
        ["somebody:a:Page/about", "a month", 31 * DAY],
        ["somebody:b:Page/about", "weeks", 29 * DAY],
        ["guest:a:Page/about", "a guest's, two days", 2 * DAY],
        ["guest:b:Page/about", "a guest's, hours", DAY / 2],
    ]
    await guest.page.evaluate(PLANT, drafts)
    await guest.reload()
    assert await kept(guest) == ["a guest's, hours", "weeks"]


@pytest.mark.parametrize("nonsense", ["", "null", "{", '"text"', '{"body": 5, "at": 1}', '{"body": "No date"}'])
async def test_what_another_hand_wrote_there_does_no_harm(nonsense: str, guest: Person) -> None:
    tab = await guest.page.evaluate("sessionStorage['parley.draft.tab']")
    keys = [f"parley.draft:guest:{tab}:Article/1", "parley.draft:guest:other:Article/1", "parley.draft:"]
    await guest.page.evaluate("([keys, text]) => keys.forEach((key) => (localStorage[key] = text))", [keys, nonsense])
    await guest.reload()
    await has_typed(guest, "")
    await guest.composer.fill("As ever")
    await guest.reload()
    await has_typed(guest, "As ever")


async def test_a_browser_that_keeps_nothing_lets_one_write_all_the_same(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", scripts=[REFUSE])
    await alice.composer.fill("Half a thought")
    await alice.write("Said")
    await alice.sees("Said")
    await alice.is_settled()
    await alice.edit("Said", "Said better")
    await alice.sees("Said better")
    await alice.matches_server()


async def test_a_full_one_keeps_it_as_long_as_the_page_lives(guest: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
    await guest.page.evaluate(FILL)
    await guest.composer.fill("Half a thought")
    assert await kept(guest) == []
    await guest.page.evaluate("document.querySelector('.composer textarea').value = ''")
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    await has_typed(guest, "Half a thought")
