import assert from "node:assert/strict";
import { test } from "node:test";
import { understood } from "../../app/static/js/outbox/draft.js";

test("a stored draft is read as it was written", () => {
  const draft = { body: "Hello", base: null, at: 5, topic: "Article/1", closed: true };
  assert.deepEqual(understood(JSON.stringify(draft)), draft);
});

test("a draft of an older version has no topic and is open", () => {
  const draft = { body: "Hello", base: null, at: 5 };
  const expected = { ...draft, topic: null, closed: false };
  assert.deepEqual(understood(JSON.stringify(draft)), expected);
});

test("a text that other code has stored is an empty draft", () => {
  for (const text of ["", "null", "{", '"text"', '{"body": 5, "at": 1}', '{"body": "No date"}'])
    assert.deepEqual([understood(text).body, understood(text).at], ["", 0], text);
});
