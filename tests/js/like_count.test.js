// Whether the number of likes includes this account's like, whichever message arrives first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { afterComment, afterResponse, inAgreement } from "../../app/static/js/thread/like_count.js";

const NOT_LIKED = inAgreement("like", false);
const LIKED = inAgreement("like", true);

test("the response says from which seq on the number includes the like", () => {
  const count = afterResponse(NOT_LIKED, true, 7, 5);
  assert.equal(count.contained, false, "the comment was received last at seq 5");
  assert.equal(afterComment(count, 6, 1, true).contained, false, "the like of somebody else");
  assert.equal(afterComment(count, 7, 1, true).contained, true);
});

test("a response about a number that is shown already counts at once", () => {
  assert.deepEqual(afterResponse(NOT_LIKED, true, 5, 5), { ...LIKED, marks: [] });
});

test("responses that arrive in the wrong order count in the order of their seqs", () => {
  const count = afterResponse(afterResponse(NOT_LIKED, false, 9, 5), true, 7, 5);
  assert.equal(afterComment(count, 7, 1, null).contained, true);
  assert.equal(afterComment(count, 9, 0, null).contained, false);
});

test("without a response, a number that moves as the person wants includes their like", () => {
  assert.equal(afterComment(NOT_LIKED, 6, 1, true).contained, true);
  assert.equal(afterComment(LIKED, 6, -1, false).contained, false);
});

test("without a response, a number that moves the other way is about others", () => {
  assert.deepEqual(afterComment(NOT_LIKED, 6, -1, true), NOT_LIKED);
  assert.deepEqual(afterComment(LIKED, 6, 1, false), LIKED);
  assert.deepEqual(afterComment(NOT_LIKED, 6, 1, null), NOT_LIKED, "the person wants nothing");
});
