"""Two people, or one with two devices, change one text: both see both, and nothing is overwritten unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.browser.test_layout import can_be_read, fits
from tests.support.people import edit, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser

# A state comes in, and the key that was on its way goes down right after it.
PRESSED_AT_ONCE = """(body) => {
  const comment = parley.comments.at(0);
  comment.set({ body, seq: comment.get("seq") + 1 });
  const keys = { key: "Enter", ctrlKey: true, bubbles: true };
  document.querySelector(".editor textarea").dispatchEvent(new KeyboardEvent("keydown", keys));
}"""


# -- in the editor ---------------------------------------------------------------------------------------------


async def sees_conflict(person: Person, theirs: str) -> None:
    """Waits until the editor shows that the comment says this meanwhile."""
    await person.until("document.querySelector('.editor__conflict').checkVisibility()", "to be told")
    await person.page.locator(".editor__theirs").get_by_text(theirs, exact=True).wait_for()


async def offers(person: Person, *names: str) -> None:
    """Waits until these are the editor's buttons, by what they say."""
    shown = "Array.from(document.querySelectorAll('.editor button')).filter((el) => el.checkVisibility())"
    await person.until(f"{shown}.map((el) => el.textContent).join() === '{','.join(names)}'", f"{names}")


def edits(person: Person) -> int:
    return len([request for request in person.requests if request.startswith("PATCH")])


async def test_two_changes_that_do_not_touch_can_both_be_had(alice: Person, bob: Person) -> None:
    comment = await alice.write_and_start_edit("We meet on Monday at noon", "We meet on Monday at noon, in the hall")
    await edit(alice.client, comment, "All of us meet on Monday at noon")
    await sees_conflict(alice, "All of us meet on Monday at noon")
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["All of us "]
    await offers(alice, "Overwrite with mine", "Merge both", "Cancel")
    assert await alice.editor.input_value() == "We meet on Monday at noon, in the hall"

    await alice.page.locator(".editor__merge").click()
    both = "All of us meet on Monday at noon, in the hall"
    assert await alice.editor.input_value() == both
    await alice.focus_is_on(".editor textarea")
    await offers(alice, "Save", "Undo merge", "Cancel")
    assert edits(alice) == 0, "putting it together saves nothing"
    async with alice.page.expect_request(lambda request: request.method == "PATCH") as saving:
        await alice.editor.press("Control+Enter")
    assert (await (await saving.value).all_headers())["if-match"] == '"2"'
    await alice.sees(both)
    await bob.sees(both)
    await alice.matches_server()


async def test_it_can_be_undone_and_done_again(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three", "one two three four")
    await edit(alice.client, comment, "0 one two three")
    await sees_conflict(alice, "0 one two three")
    await alice.page.locator(".editor__merge").click()
    await alice.editor.press("End")
    await alice.page.keyboard.type(" five")
    await alice.page.locator(".editor__mine").click()
    assert await alice.editor.input_value() == "one two three four"
    await offers(alice, "Overwrite with mine", "Merge both", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "0 one two three four five", "what was typed since is not lost"

    await alice.page.locator(".editor__mine").click()
    await alice.page.locator(".editor__save").click()
    await alice.sees("one two three four")
    await alice.matches_server()


async def test_one_change_after_the_other_comes_while_it_is_open(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three four five", "one two three four 5")
    await edit(alice.client, comment, "1 two three four five")
    await sees_conflict(alice, "1 two three four five")
    await edit(alice.client, comment, "1 2 three four five")
    await sees_conflict(alice, "1 2 three four five")
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["1 2 "]
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "1 2 three four 5"

    # What has been put together is written on what it was put together with.
    await edit(alice.client, comment, "1 two three four five")
    await sees_conflict(alice, "1 two three four five")
    await offers(alice, "Overwrite with mine", "Merge both", "Undo merge", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "1 two three four 5"
    await alice.page.locator(".editor__save").click()
    await alice.sees("1 two three four 5")
    await alice.matches_server()


async def test_where_they_touch_there_is_a_choice_and_no_mixture(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three", "one 2 three")
    await edit(alice.client, comment, "one zwei three")
    await sees_conflict(alice, "one zwei three")
    await offers(alice, "Overwrite with mine", "Cancel")
    await alice.editor.fill("one two three four")
    await offers(alice, "Overwrite with mine", "Merge both", "Cancel")
    await alice.editor.fill("one two three")
    await offers(alice, "Overwrite with mine", "Use new version", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "one zwei three"


async def test_a_change_that_is_taken_back_is_none(alice: Person) -> None:
    comment = await alice.write_and_start_edit("As it was", "As it will be")
    await edit(alice.client, comment, "As it is for now")
    await sees_conflict(alice, "As it is for now")
    await edit(alice.client, comment, "As it was")
    await offers(alice, "Save", "Cancel")
    assert not await alice.page.locator(".editor__conflict").is_visible()
    await alice.page.locator(".editor__save").click()
    await alice.sees("As it will be")
    await alice.matches_server()


async def test_who_wrote_the_same_is_not_bothered(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two", "one two three")
    await edit(alice.client, comment, "one two three")
    await alice.until("parley.comments.at(0).get('body') === 'one two three'", "the change")
    await offers(alice, "Save", "Cancel")
    await alice.page.locator(".editor__save").click()
    await alice.sees("one two three")
    assert edits(alice) == 0


async def test_what_others_wrote_is_text_and_never_markup(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one", "one two")
    nasty = "<img src=x onerror=alert(1)> <b>one</b>"
    await edit(alice.client, comment, nasty)
    await sees_conflict(alice, nasty)
    assert await alice.page.locator(".editor__theirs").inner_text() == nasty
    assert await alice.page.locator(".editor__theirs :not(mark)").count() == 0


async def test_what_was_taken_out_leaves_a_trace(alice: Person) -> None:
    comment = await alice.write_and_start_edit("one two three four", "one two three four five")
    await edit(alice.client, comment, "one three four")
    await sees_conflict(alice, "one three four")
    assert await alice.page.locator(".editor__cut").count() == 1


async def test_a_key_that_was_on_its_way_replaces_nothing_unseen(alice: Person) -> None:
    await alice.write_and_start_edit("As it was", "Mine")
    await alice.page.evaluate("parley.connector.close()")
    await alice.page.evaluate(PRESSED_AT_ONCE, "Theirs")
    await sees_conflict(alice, "Theirs")
    assert edits(alice) == 0
    assert await alice.editor.input_value() == "Mine"
    await alice.focus_is_on(".editor__save")


# -- what the server refuses -----------------------------------------------------------------------------------


async def test_a_refused_edit_can_be_put_together_with_what_was_in_its_way(
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
    await offers(alice, "Overwrite with mine", "Merge both", "Cancel")

    await alice.page.locator(".editor__merge").click()
    await edit(alice.client, comment, "1 2 three four")  # and once more, unseen
    await alice.page.locator(".editor__save").click()
    await sees_conflict(alice, "1 2 three four")
    assert await alice.editor.input_value() == "1 two three 4"
    await alice.page.locator(".editor__merge").click()
    await alice.page.locator(".editor__save").click()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("1 2 three 4")
    await alice.matches_server()


# -- how it looks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_on_a_small_phone_and_can_be_read(scheme: Any, open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", viewport={"width": 320, "height": 640}, color_scheme=scheme)
    comment = await alice.write_and_start_edit(f"one two {'three' * 40} four", f"one two {'three' * 40} four five")
    await edit(alice.client, comment, f"1 two {'three' * 40} four")
    await alice.page.locator(".editor__merge").wait_for()
    await fits(alice)
    await can_be_read(alice)
    await alice.page.locator(".editor__merge").click()
    await fits(alice)
    await can_be_read(alice)
