"""Two people, or one with two devices, change one text: both see both, and nothing is overwritten unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.complaints import NETWORK, Complaints
from tests.browser.people import Person
from tests.browser.test_layout import can_be_read, fits
from tests.support.people import edit, write

if TYPE_CHECKING:
    from tests.browser.conftest import Arrive

LETTER = "Dear all,\n\nwe meet on Monday at noon. Bring a cup.\n\nYours, Alice"

# base, mine, theirs, and both; None where they touch.
MERGES = [
    ("a quick fox", "a quick fox", "a quick dog", "a quick dog"),
    ("a quick fox", "a slow fox", "a quick fox", "a slow fox"),
    ("a quick fox", "the quick fox", "a quick dog", "the quick dog"),
    ("a quick fox", "a slow fox", "a swift fox", None),
    ("a quick fox", "a slow fox", "a quick dog", None),  # next to each other
    ("a quick fox", "a dog", "a dog", "a dog"),
    ("a quick fox jumps", "a slow fox jumps", "a slow fox sits", "a slow fox sits"),  # the same change, and one more
    # Going on with a line, or before it, leaves the words of it alone.
    ("We meet at noon", "We meet at noon sharp", "They meet at noon", "They meet at noon sharp"),
    ("We meet at noon", "We meet at noon", "Hello! We meet at noon", "Hello! We meet at noon"),
    ("We meet at noon", "We meet at noon, yes", "Hello! We meet at noon", "Hello! We meet at noon, yes"),
    ("We meet.", "We meet. Today.", "We meet. Tomorrow.", None),  # in the same place
    ("We meet.", "Today! We meet.", "Tomorrow! We meet.", None),
    ("We meet.", "Today! We meet.", "We meet. Bye.", "Today! We meet. Bye."),
    # Paragraphs
    (LETTER, LETTER.replace("Monday", "Tuesday"), LETTER.replace("a cup", "two cups"), "T+two"),
    (LETTER, LETTER.replace("Monday", "Tuesday"), LETTER.replace("Alice", "Bob"), "T+B"),
    (LETTER, f"{LETTER}\n\nPS. Do come.", LETTER.replace("Dear all", "Dear friends"), "PS+friends"),
    (LETTER, LETTER.replace("\n\nYours, Alice", ""), LETTER.replace("Dear all", "Dear friends"), "friends-Yours"),
    (LETTER, LETTER.replace("\n\nYours, Alice", ""), LETTER.replace("Alice", "Bob"), None),
    (LETTER, LETTER.replace("\n\nYours", "\nYours"), LETTER.replace("all,\n\n", "all, "), "breaks"),
    # What looks like nothing
    ("", "", "They", "They"),
    ("", "Mine", "They", None),
    ("one two three", "one two", "two three", "two"),
    ("one two three", "one", "three", None),
    ("one\n\ntwo\n\nthree", "\n\ntwo\n\nthree", "one\n\n", None),  # not even a word would be left
    ("  indented\n  twice", "  indented\n  twice more", " indented\n  twice", " indented\n  twice more"),
    ("ends with  ", "ends with  ", "starts, ends with  ", "starts, ends with  "),
    ("one\r\ntwo three four", "one\ntwo three 4", "1\r\ntwo three four", "1\ntwo three 4"),
    ("__proto__ is a constructor", "__proto__ is a constructor x", "y __proto__ is a constructor", "proto"),
    # Without spaces between the words
    ("我们星期一中午见面。", "我们星期二中午见面。", "我们星期一中午见面吧。", "我们星期二中午见面吧。"),
    ("我们星期一见面。", "我们星期二见面。", "我们星期三见面。", None),
]
MEANT = {
    "proto": "y __proto__ is a constructor x",
    "T+two": LETTER.replace("Monday", "Tuesday").replace("a cup", "two cups"),
    "T+B": LETTER.replace("Monday", "Tuesday").replace("Alice", "Bob"),
    "PS+friends": LETTER.replace("Dear all", "Dear friends") + "\n\nPS. Do come.",
    "friends-Yours": LETTER.replace("\n\nYours, Alice", "").replace("Dear all", "Dear friends"),
    "breaks": LETTER.replace("\n\nYours", "\nYours").replace("all,\n\n", "all, "),
}
MERGED = """async (cases) => {
  const { mergeProse } = await import("/static/js/merge.js");
  return cases.map((texts) => mergeProse(...texts));
}"""

# before, now, and now with what is new in [brackets].
CHANGES = [
    ("a quick fox", "a quick fox", "a quick fox"),
    ("a quick fox", "a slow fox", "a [slow ]fox"),
    ("a quick fox", "a quick fox jumps", "a quick fox [jumps]"),
    ("a quick fox", "a fox", "a []fox"),
    ("a quick fox", "", "[]"),
    ("", "a fox", "[a fox]"),
    ("One.\n\nTwo.", "One.\n\nTwo. More.\n\nThree.", "One.\n\nTwo. [More.\n\nThree.]"),
]
CHANGED = """async (cases) => {
  const { changes } = await import("/static/js/merge.js");
  const shown = ({ text, changed }) => changed ? `[${text}]` : text;
  return cases.map(([before, now]) => changes(before, now).map(shown).join(""));
}"""

# Of 10,000 characters each, from what is usual to what is meant to cost.
SLOWEST = """async () => {
  const { changes, mergeProse } = await import("/static/js/merge.js");
  const words = (n, of) => Array.from({ length: n }, (_, at) => (at % of).toString(36)).join(" ");
  const times = [1, 2, 10, 250, 1000].map((of) => {
    const text = words(3300, of).slice(0, 9_990);
    const [mine, theirs] = [text.replace(/^/, "x y z "), text.replace(/$/, " x y z")];
    const start = performance.now();
    mergeProse(text, mine, theirs);
    changes(text, `x ${theirs}`);
    changes(text, text.split(" ").reverse().join(" "));
    return performance.now() - start;
  });
  return Math.max(...times);
}"""
MOST_MS = 2_000  # on a machine that does other things, too; without the bound it is a minute

# A state comes in, and the key that was on its way goes down right after it.
PRESSED_AT_ONCE = """(body) => {
  const comment = parley.comments.at(0);
  comment.set({ body, seq: comment.get("seq") + 1 });
  const keys = { key: "Enter", ctrlKey: true, bubbles: true };
  document.querySelector(".editor textarea").dispatchEvent(new KeyboardEvent("keydown", keys));
}"""


async def test_what_does_not_touch_is_merged(guest: Person) -> None:
    merged = await guest.page.evaluate(MERGED, [case[:3] for case in MERGES])
    wanted = [MEANT.get(case[3] or "", case[3]) for case in MERGES]
    assert dict(enumerate(merged)) == dict(enumerate(wanted))
    swapped = await guest.page.evaluate(MERGED, [(base, theirs, mine) for base, mine, theirs, _ in MERGES])
    assert swapped == merged, "it does not matter whose is whose"


async def test_what_has_changed_is_known_word_by_word(guest: Person) -> None:
    changed = await guest.page.evaluate(CHANGED, CHANGES)
    assert changed == [shown for _, _, shown in CHANGES]


async def test_no_text_keeps_the_page_busy(guest: Person) -> None:
    slowest = await guest.page.evaluate(SLOWEST)
    print(f"{slowest:.0f} ms")
    assert slowest < MOST_MS


# -- in the editor ---------------------------------------------------------------------------------------------


async def is_told(person: Person, theirs: str) -> None:
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
    comment = await alice.begins_to_edit("We meet on Monday at noon", "We meet on Monday at noon, in the hall")
    await edit(alice.client, comment, "All of us meet on Monday at noon")
    await is_told(alice, "All of us meet on Monday at noon")
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
    await alice.sees_the_truth()


async def test_it_can_be_undone_and_done_again(alice: Person) -> None:
    comment = await alice.begins_to_edit("one two three", "one two three four")
    await edit(alice.client, comment, "0 one two three")
    await is_told(alice, "0 one two three")
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
    await alice.sees_the_truth()


async def test_one_change_after_the_other_comes_while_it_is_open(alice: Person) -> None:
    comment = await alice.begins_to_edit("one two three four five", "one two three four 5")
    await edit(alice.client, comment, "1 two three four five")
    await is_told(alice, "1 two three four five")
    await edit(alice.client, comment, "1 2 three four five")
    await is_told(alice, "1 2 three four five")
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["1 2 "]
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "1 2 three four 5"

    # What has been put together is written on what it was put together with.
    await edit(alice.client, comment, "1 two three four five")
    await is_told(alice, "1 two three four five")
    await offers(alice, "Overwrite with mine", "Merge both", "Undo merge", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "1 two three four 5"
    await alice.page.locator(".editor__save").click()
    await alice.sees("1 two three four 5")
    await alice.sees_the_truth()


async def test_where_they_touch_there_is_a_choice_and_no_mixture(alice: Person) -> None:
    comment = await alice.begins_to_edit("one two three", "one 2 three")
    await edit(alice.client, comment, "one zwei three")
    await is_told(alice, "one zwei three")
    await offers(alice, "Overwrite with mine", "Cancel")
    await alice.editor.fill("one two three four")
    await offers(alice, "Overwrite with mine", "Merge both", "Cancel")
    await alice.editor.fill("one two three")
    await offers(alice, "Overwrite with mine", "Use new version", "Cancel")
    await alice.page.locator(".editor__merge").click()
    assert await alice.editor.input_value() == "one zwei three"


async def test_a_change_that_is_taken_back_is_none(alice: Person) -> None:
    comment = await alice.begins_to_edit("As it was", "As it will be")
    await edit(alice.client, comment, "As it is for now")
    await is_told(alice, "As it is for now")
    await edit(alice.client, comment, "As it was")
    await offers(alice, "Save", "Cancel")
    assert not await alice.page.locator(".editor__conflict").is_visible()
    await alice.page.locator(".editor__save").click()
    await alice.sees("As it will be")
    await alice.sees_the_truth()


async def test_who_wrote_the_same_is_not_bothered(alice: Person) -> None:
    comment = await alice.begins_to_edit("one two", "one two three")
    await edit(alice.client, comment, "one two three")
    await alice.until("parley.comments.at(0).get('body') === 'one two three'", "the change")
    await offers(alice, "Save", "Cancel")
    await alice.page.locator(".editor__save").click()
    await alice.sees("one two three")
    assert edits(alice) == 0


async def test_what_others_wrote_is_text_and_never_markup(alice: Person) -> None:
    comment = await alice.begins_to_edit("one", "one two")
    nasty = "<img src=x onerror=alert(1)> <b>one</b>"
    await edit(alice.client, comment, nasty)
    await is_told(alice, nasty)
    assert await alice.page.locator(".editor__theirs").inner_text() == nasty
    assert await alice.page.locator(".editor__theirs :not(mark)").count() == 0


async def test_what_was_taken_out_leaves_a_trace(alice: Person) -> None:
    comment = await alice.begins_to_edit("one two three four", "one two three four five")
    await edit(alice.client, comment, "one three four")
    await is_told(alice, "one three four")
    assert await alice.page.locator(".editor__cut").count() == 1


async def test_a_key_that_was_on_its_way_replaces_nothing_unseen(alice: Person) -> None:
    await alice.begins_to_edit("As it was", "Mine")
    await alice.page.evaluate("parley.connector.close()")
    await alice.page.evaluate(PRESSED_AT_ONCE, "Theirs")
    await is_told(alice, "Theirs")
    assert edits(alice) == 0
    assert await alice.editor.input_value() == "Mine"
    await alice.focus_is_on(".editor__save")


# -- what the server refuses -----------------------------------------------------------------------------------


async def test_a_refused_edit_can_be_put_together_with_what_was_in_its_way(
    alice: Person, complaints: Complaints
) -> None:
    complaints.allow(NETWORK)
    comment = await write(alice.client, "one two three four")
    await alice.sees("one two three four")
    await alice.page.evaluate("parley.connector.close()")
    await edit(alice.client, comment, "1 two three four")
    await alice.edit("one two three four", "one two three 4")
    await is_told(alice, "1 two three four")
    assert await alice.page.locator(".editor__theirs mark").all_text_contents() == ["1 "]
    await offers(alice, "Overwrite with mine", "Merge both", "Cancel")

    await alice.page.locator(".editor__merge").click()
    await edit(alice.client, comment, "1 2 three four")  # and once more, unseen
    await alice.page.locator(".editor__save").click()
    await is_told(alice, "1 2 three four")
    assert await alice.editor.input_value() == "1 two three 4"
    await alice.page.locator(".editor__merge").click()
    await alice.page.locator(".editor__save").click()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("1 2 three 4")
    await alice.sees_the_truth()


# -- how it looks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_on_a_small_phone_and_can_be_read(scheme: Any, arrive: Arrive) -> None:
    alice = await arrive("Alice", viewport={"width": 320, "height": 640}, color_scheme=scheme)
    comment = await alice.begins_to_edit(f"one two {'three' * 40} four", f"one two {'three' * 40} four five")
    await edit(alice.client, comment, f"1 two {'three' * 40} four")
    await alice.page.locator(".editor__merge").wait_for()
    await fits(alice)
    await can_be_read(alice)
    await alice.page.locator(".editor__merge").click()
    await fits(alice)
    await can_be_read(alice)
