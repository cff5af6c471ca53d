// Two people, or one person with two devices, change one text: both changes are kept, unless they touch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { changes, mergeProse } from "../../app/static/js/thread/merge.js";

const LETTER = "Dear all,\n\nwe meet on Monday at noon. Bring a cup.\n\nYours, Alice";
const UNSIGNED = LETTER.replace("\n\nYours, Alice", "");
const FRIENDLY = LETTER.replace("Dear all", "Dear friends");
const TUESDAY = LETTER.replace("Monday", "Tuesday");

// base, mine, theirs, and both; null if they touch.
const MERGES = [
  ["a quick fox", "a quick fox", "a quick dog", "a quick dog"],
  ["a quick fox", "a slow fox", "a quick fox", "a slow fox"],
  ["a quick fox", "the quick fox", "a quick dog", "the quick dog"],
  ["a quick fox", "a slow fox", "a swift fox", null],
  ["a quick fox", "a slow fox", "a quick dog", null], // next to each other
  ["a quick fox", "a dog", "a dog", "a dog"],
  ["a quick fox jumps", "a slow fox jumps", "a slow fox sits", "a slow fox sits"], // the same, and one more
  // Text that is added at the end or at the beginning of a line leaves the words of the line alone.
  ["We meet at noon", "We meet at noon sharp", "They meet at noon", "They meet at noon sharp"],
  ["We meet at noon", "We meet at noon", "Hello! We meet at noon", "Hello! We meet at noon"],
  [
    "We meet at noon",
    "We meet at noon, yes",
    "Hello! We meet at noon",
    "Hello! We meet at noon, yes",
  ],
  ["We meet.", "We meet. Today.", "We meet. Tomorrow.", null], // in the same place
  ["We meet.", "Today! We meet.", "Tomorrow! We meet.", null],
  ["We meet.", "Today! We meet.", "We meet. Bye.", "Today! We meet. Bye."],
  // Paragraphs
  [LETTER, TUESDAY, LETTER.replace("a cup", "two cups"), TUESDAY.replace("a cup", "two cups")],
  [LETTER, TUESDAY, LETTER.replace("Alice", "Bob"), TUESDAY.replace("Alice", "Bob")],
  [LETTER, `${LETTER}\n\nPS. Do come.`, FRIENDLY, `${FRIENDLY}\n\nPS. Do come.`],
  [LETTER, UNSIGNED, FRIENDLY, UNSIGNED.replace("Dear all", "Dear friends")],
  [LETTER, UNSIGNED, LETTER.replace("Alice", "Bob"), null],
  [
    LETTER,
    LETTER.replace("\n\nYours", "\nYours"),
    LETTER.replace("all,\n\n", "all, "),
    LETTER.replace("\n\nYours", "\nYours").replace("all,\n\n", "all, "),
  ],
  // White space and empty texts
  ["", "", "They", "They"],
  ["", "Mine", "They", null],
  ["one two three", "one two", "two three", "two"],
  ["one two three", "one", "three", null],
  ["one\n\ntwo\n\nthree", "\n\ntwo\n\nthree", "one\n\n", null], // not even a word would be left
  [
    "  indented\n  twice",
    "  indented\n  twice more",
    " indented\n  twice",
    " indented\n  twice more",
  ],
  ["ends with  ", "ends with  ", "starts, ends with  ", "starts, ends with  "],
  ["one\r\ntwo three four", "one\ntwo three 4", "1\r\ntwo three four", "1\ntwo three 4"],
  [
    "__proto__ is a constructor",
    "__proto__ is a constructor x",
    "y __proto__ is a constructor",
    "y __proto__ is a constructor x",
  ],
  // Without spaces between the words
  [
    "我们星期一中午见面。",
    "我们星期二中午见面。",
    "我们星期一中午见面吧。",
    "我们星期二中午见面吧。",
  ],
  ["我们星期一见面。", "我们星期二见面。", "我们星期三见面。", null],
];

for (const [base, mine, theirs, both] of MERGES) {
  const name = [base, mine, theirs].map((text) => JSON.stringify(text)).join(" | ");
  test(`${both === null ? "a conflict" : "merged"}: ${name}`, () => {
    assert.equal(mergeProse(base, mine, theirs), both);
    assert.equal(mergeProse(base, theirs, mine), both, "it does not matter whose text is whose");
  });
}

// before, now, and now with the new words in [brackets].
const CHANGES = [
  ["a quick fox", "a quick fox", "a quick fox"],
  ["a quick fox", "a slow fox", "a [slow ]fox"],
  ["a quick fox", "a quick fox jumps", "a quick fox [jumps]"],
  ["a quick fox", "a fox", "a []fox"],
  ["a quick fox", "", "[]"],
  ["", "a fox", "[a fox]"],
  ["One.\n\nTwo.", "One.\n\nTwo. More.\n\nThree.", "One.\n\nTwo. [More.\n\nThree.]"],
];

test("an author sees word by word what others changed", () => {
  const shown = ({ text, changed }) => (changed ? `[${text}]` : text);
  for (const [before, now, expected] of CHANGES)
    assert.equal(changes(before, now).map(shown).join(""), expected);
});

// Texts of 10,000 characters. The fewer different words, the more pairs of equal words there are to compare.
const words = (different) =>
  Array.from({ length: 3_300 }, (_, at) => (at % different).toString(36))
    .join(" ")
    .slice(0, 9_990);

// Without the bound on comparisons this takes a minute; the time limit only ends a run without the bound.
test("texts that are too expensive to compare are not compared", { timeout: 50_000 }, () => {
  for (const different of [1, 2, 10, 250]) {
    const text = words(different);
    assert.equal(mergeProse(text, `x y z ${text}`, `${text} x y z`), null, `${different} words`);
    for (const now of [`x ${text} x y z`, `x ${text.split(" ").reverse().join(" ")} x`])
      assert.deepEqual(changes(text, now), [{ text: now, changed: true }], `${different} words`);
  }
});

test("changes at both ends of a long text are merged", () => {
  const text = words(1_000);
  assert.equal(mergeProse(text, `x y z ${text}`, `${text} x y z`), `x y z ${text} x y z`);
});
