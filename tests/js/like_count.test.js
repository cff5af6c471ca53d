// Whether the number of likes includes one's own, whichever message comes first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hear, level, mark } from "../../app/static/js/thread/like_count.js";

const NOT_LIKED = level("like", false);
const LIKED = level("like", true);

test("the answer says from which seq on the number includes the like", () => {
  const tally = mark(NOT_LIKED, true, 7, 5);
  assert.equal(tally.contained, false, "the comment was last heard of at seq 5");
  assert.equal(hear(tally, 6, 1, true).contained, false, "the like of somebody else");
  assert.equal(hear(tally, 7, 1, true).contained, true);
});

test("an answer about a number that is shown already counts at once", () => {
  assert.deepEqual(mark(NOT_LIKED, true, 5, 5), { ...LIKED, marks: [] });
});

test("answers that arrive in the wrong order count in the order of their seqs", () => {
  const tally = mark(mark(NOT_LIKED, false, 9, 5), true, 7, 5);
  assert.equal(hear(tally, 7, 1, null).contained, true);
  assert.equal(hear(tally, 9, 0, null).contained, false);
});

test("without an answer, a number that moves as the person wants includes their like", () => {
  assert.equal(hear(NOT_LIKED, 6, 1, true).contained, true);
  assert.equal(hear(LIKED, 6, -1, false).contained, false);
});

test("without an answer, a number that moves the other way is about others", () => {
  assert.deepEqual(hear(NOT_LIKED, 6, -1, true), NOT_LIKED);
  assert.deepEqual(hear(LIKED, 6, 1, false), LIKED);
  assert.deepEqual(hear(NOT_LIKED, 6, 1, null), NOT_LIKED, "the person wants nothing");
});
