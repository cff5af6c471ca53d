// Names that are completed after an `@`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf, matching, typedAt, written } from "../../app/static/js/thread/mention.js";

// A text up to the caret, and the beginning of the name that is typed there; null if none is.
const TYPED = [
  ["@", null],
  ["@b", "b"],
  ["hi @bob", "bob"],
  ["谢谢@bob", "bob"],
  ["＠bob", "bob"],
  ["_@bob", "bob"],
  ["(@bob", "bob"],
  ["@Zoë New", "Zoë New"],
  ["@O’Br", "O’Br"],
  ["@小明", "小明"],
  ["alice@example", null],
  ["привет@bob", null],
  ["שלום@bob", "bob"],
  ["@@bob", null],
  ["/@bob", null],
  ["@bob ", null],
  ["@bob!", null],
  ["@bob\n", null],
  ["one\n@bo", "bo"],
  [`@${"x".repeat(30)}`, "x".repeat(30)],
  [`@${"x".repeat(31)}`, null],
];

for (const [text, prefix] of TYPED) {
  test(`${JSON.stringify(text)} ${prefix === null ? "begins no name" : "begins a name"}`, () => {
    assert.equal(typedAt(text, text.length)?.prefix ?? null, prefix);
  });
}

test("only the text before the caret begins a name", () => {
  assert.deepEqual(typedAt("hi @bob!", 6), { start: 3, prefix: "bo" });
});

test("people are offered once, in their order, and no more than fit", () => {
  const bob = { id: "1", username: "Bob" };
  const people = [bob, { id: "2", username: "Alice" }, bob, { id: "3", username: "bobby" }];
  assert.deepEqual(matching(people, "BO", 3), [bob, { id: "3", username: "bobby" }]);
  assert.deepEqual(matching(people, "bo", 1), [bob]);
});

test("names are compared without regard to case, width and the kind of apostrophe", () => {
  assert.equal(keyOf("Ｏ’Brien"), keyOf("o'brien"));
});

test("the chosen name replaces the typed prefix", () => {
  assert.equal(written("Bob"), "@Bob ");
});
