// The rules for comments that a person reads in a thread, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isReadable, READING_MS, ReadingTimes } from "../../app/static/js/thread/reading.js";

const WINDOW = { top: 0, bottom: 600 };

test("half of a comment can be read, or a comment that fills the window", () => {
  for (const [top, bottom, expected] of [
    [100, 200, true],
    [-50, 50, true],
    [-51, 49, false],
    [550, 650, true],
    [551, 651, false],
    [-700, 700, true], // three sevenths of it, which fill the window
    [-700, 599, false],
    [700, 800, false],
    [-100, 0, false],
    [0, 0, false], // not drawn
  ]) {
    assert.equal(isReadable({ top, bottom }, WINDOW), expected, `${top} to ${bottom}`);
  }
});

test("in a host page, only the visible part of the iframe counts", () => {
  assert.equal(isReadable({ top: 100, bottom: 200 }, { top: 300, bottom: 900 }), false);
  assert.equal(isReadable({ top: 300, bottom: 400 }, { top: 300, bottom: 900 }), true);
});

test("a comment is read after two seconds without a break, and once", () => {
  const times = new ReadingTimes();
  assert.deepEqual(times.update(["a"], 1_000), []);
  assert.deepEqual(times.update(["a", "b"], 2_000), []);
  assert.deepEqual(times.update(["b"], 2_500), []);
  assert.deepEqual(times.update(["a", "b"], 1_000 + READING_MS), []);
  assert.deepEqual(times.update(["a", "b"], 2_000 + READING_MS), ["b"]);
  assert.deepEqual(times.update(["a", "b"], 3_000 + READING_MS), ["a"]);
  assert.deepEqual(times.update([], 10_000), []);
  assert.deepEqual(times.update(["a", "b"], 11_000), []);
  assert.deepEqual(
    times.update(["a", "b"], 20_000),
    [],
    "one that is marked as unread stays unread",
  );
});
