"""Edit conflicts: a person who edits a text sees the change of another device before either is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.browser.readability import assert_fits_phone, assert_readable
from tests.support.people import edit, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser

# A new state arrives, and the key that saves the editor is pressed in the same task.
CHANGE_AND_PRESS = """(body) => {
  const comment = parley.comments.at(0);
  comment.set({ body, seq: comment.get("seq") + 1 });
  const keys = { key: "Enter", ctrlKey: true, bubbles: true };
  document.querySelector(".editor textarea").dispatchEvent(new KeyboardEvent("keydown", keys));
}"""


# -- in the editor ---------------------------------------------------------------------------------------------


async def sees_conflict(person: Person, theirs: str) -> None:
    """Wait until the editor shows the conflict with this version."""
    await person.until("document.querySelector('.editor__conflict').checkVisibility()", "the conflict")
    await person.page.locator(".editor__theirs").get_by_text(theirs, exact=True).wait_for()


async def sees_buttons(person: Person, *names: str) -> None:
    """Wait until the editor has exactly these buttons, by their text."""
    shown = "Array.from(document.querySelectorAll('.editor button')).filter((el) => el.checkVisibility())"
    await person.until(f"{shown}.map((el) => el.textContent).join() === '{','.join(names)}'", f"{names}")


def count_patches(person: Person) -> int:
    return len([request for request in person.requests if request.startswith("PATCH")])


async def test_alice_merges_two_changes_that_do_not_overlap(alice: Person, bob: Person) -> None:
    comment = await alice.write_and_start_edit("We meet on Monday at noon", "We meet on Monday at noon, in the hall")
    await edit(alice.client, comment, "All of us meet on Monday at noon")
    await sees_conflict(alice, "All of us meet on Monday at noon")
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["All of us "]
    await sees_buttons(alice, "Overwrite with mine", "Merge both", "Cancel")
    assert await alice.editor.input_value() == "We meet on Monday at noon, in the hall"

    await alice.page.locator(".editor__merge").click()
    both = "All of us meet on Monday at noon, in the hall"
    assert await alice.editor.input_value() == both
    await alice.focus_is_on(".editor textarea")
    await sees_buttons(alice, "Save", "Undo merge", "Cancel")
    assert count_patches(alice) == 0, "a merge saves nothing"
    async with alice.page.expect_request(lambda request: request.method == "PATCH") as saving:
        await alice.editor.press("Control+Enter")
    assert (await (await saving.value).all_headers())["if-match"] == '"2"'
    await alice.sees(both)
    await bob.sees(both)
    await alice.matches_server()


async def test_alice_undoes_a_merge_and_merges_again(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three", "one two three four")
    await edit(alice.client, comment, "0 one two three")
    await sees_conflict(alice, "0 one two three")
    await alice.page.locator(".editor__merge").click()
    await alice.editor.press("End")
    await alice.page.keyboard.type(" five")
    await alice.page.locator(".editor__mine").click()
    assert await alice.editor.input_value() == "one two three four"
    await sees_buttons(alice, "Overwrite with mine", "Merge both", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "0 one two three four five", (
        "the word that she typed after the first merge is kept"
    )

    await alice.page.locator(".editor__mine").click()
    await alice.page.locator(".editor__save").click()
    await alice.sees("one two three four")
    await alice.matches_server()


async def test_alice_merges_several_changes_that_arrive_while_she_edits(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three four five", "one two three four 5")
    await edit(alice.client, comment, "1 two three four five")
    await sees_conflict(alice, "1 two three four five")
    await edit(alice.client, comment, "1 2 three four five")
    await sees_conflict(alice, "1 2 three four five")
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["1 2 "]
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "1 2 three four 5"

    # After a merge, the version that it merged is the base of the edit.
    await edit(alice.client, comment, "1 two three four five")
    await sees_conflict(alice, "1 two three four five")
    await sees_buttons(alice, "Overwrite with mine", "Merge both", "Undo merge", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "1 two three four 5"
    await alice.page.locator(".editor__save").click()
    await alice.sees("1 two three four 5")
    await alice.matches_server()


async def test_alice_chooses_between_two_changes_that_overlap(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three", "one 2 three")
    await edit(alice.client, comment, "one zwei three")
    await sees_conflict(alice, "one zwei three")
    await sees_buttons(alice, "Overwrite with mine", "Cancel")
    await alice.editor.fill("one two three four")
    await sees_buttons(alice, "Overwrite with mine", "Merge both", "Cancel")
    await alice.editor.fill("one two three")
    await sees_buttons(alice, "Overwrite with mine", "Use new version", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "one zwei three"


async def test_alice_sees_no_conflict_after_a_change_is_reverted(alice: Person) -> None:
    comment = await alice.write_and_start_edit("As it was", "As it will be")
    await edit(alice.client, comment, "As it is for now")
    await sees_conflict(alice, "As it is for now")
    await edit(alice.client, comment, "As it was")
    await sees_buttons(alice, "Save", "Cancel")
    assert not await alice.page.locator(".editor__conflict").is_visible()
    await alice.page.locator(".editor__save").click()
    await alice.sees("As it will be")
    await alice.matches_server()


async def test_alice_sees_no_conflict_if_both_texts_are_equal(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two", "one two three")
    await edit(alice.client, comment, "one two three")
    await alice.until("parley.comments.at(0).get('body') === 'one two three'", "the change")
    await sees_buttons(alice, "Save", "Cancel")
    await alice.page.locator(".editor__save").click()
    await alice.sees("one two three")
    assert count_patches(alice) == 0


async def test_alice_sees_the_other_version_as_text_and_not_as_markup(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one", "one two")
    nasty = "<img src=x onerror=alert(1)> <b>one</b>"
    await edit(alice.client, comment, nasty)
    await sees_conflict(alice, nasty)
    assert await alice.page.locator(".editor__theirs").inner_text() == nasty
    assert await alice.page.locator(".editor__theirs :not(mark)").count() == 0


async def test_alice_sees_where_the_other_version_lacks_words(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three four", "one two three four five")
    await edit(alice.client, comment, "one three four")
    await sees_conflict(alice, "one three four")
    assert await alice.page.locator(".editor__cut").count() == 1


async def test_alice_does_not_overwrite_a_change_that_arrives_as_she_presses_the_key(alice: Person) -> None:
    await alice.write_and_start_edit("As it was", "Mine")
    await alice.page.evaluate("parley.connector.close()")
    await alice.page.evaluate(CHANGE_AND_PRESS, "Theirs")
    await sees_conflict(alice, "Theirs")
    assert count_patches(alice) == 0
    assert await alice.editor.input_value() == "Mine"
    await alice.focus_is_on(".editor__save")


# -- refused edits --------------------------------------------------------------------------------------------


async def test_alice_merges_a_refused_edit_with_the_change_that_caused_the_refusal(
    alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    comment = await write(alice.client, "one two three four")
    await alice.sees("one two three four")
    await alice.page.evaluate("parley.connector.close()")
    await edit(alice.client, comment, "1 two three four")
    await alice.edit("one two three four", "one two three 4")
    await sees_conflict(alice, "1 two three four")
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["1 "]
    await sees_buttons(alice, "Overwrite with mine", "Merge both", "Cancel")

    await alice.page.locator(".editor__merge").click()
    await edit(alice.client, comment, "1 2 three four")  # a second change, which she has not seen
    await alice.page.locator(".editor__save").click()
    await sees_conflict(alice, "1 2 three four")
    assert await alice.editor.input_value() == "1 two three 4"
    await alice.page.locator(".editor__merge").click()
    await alice.page.locator(".editor__save").click()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("1 2 three 4")
    await alice.matches_server()


# -- layout ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_alice_can_read_a_conflict_on_a_small_phone(scheme: Any, open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", viewport={"width": 320, "height": 640}, color_scheme=scheme)
    comment = await alice.write_and_start_edit(f"one two {'three' * 40} four", f"one two {'three' * 40} four five")
    await edit(alice.client, comment, f"1 two {'three' * 40} four")
    await alice.page.locator(".editor__merge").wait_for()
    await assert_fits_phone(alice)
    await assert_readable(alice)
    await alice.page.locator(".editor__merge").click()
    await assert_fits_phone(alice)
    await assert_readable(alice)
