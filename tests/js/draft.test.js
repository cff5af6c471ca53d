import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDraft } from "../../app/static/js/outbox/draft.js";

test("a stored draft is read as it was written", () => {
  const draft = { body: "Hello", base: null, at: 5, topic: "Article/1", closed: true };
  assert.deepEqual(parseDraft(JSON.stringify(draft)), draft);
});

test("a draft of an older version has no topic and is open", () => {
  const draft = { body: "Hello", base: null, at: 5 };
  const expected = { ...draft, topic: null, closed: false };
  assert.deepEqual(parseDraft(JSON.stringify(draft)), expected);
});

test("a text that other code has stored is an empty draft", () => {
  for (const text of ["", "null", "{", '"text"', '{"body": 5, "at": 1}', '{"body": "No date"}'])
    assert.deepEqual([parseDraft(text).body, parseDraft(text).at], ["", 0], text);
});
