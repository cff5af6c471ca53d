import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isLong } from "../../app/static/js/thread/folding.js";

// tests/comments/test_folding.py reads the same texts.
const TEXTS = JSON.parse(readFileSync(new URL("folded_texts.json", import.meta.url), "utf8"));

test("the page folds the same texts as the server", () => {
  for (const { text, times, folded } of TEXTS)
    assert.equal(isLong(text.repeat(times)), folded, `${times} times ${JSON.stringify(text)}`);
});
