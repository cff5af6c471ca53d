import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Partials } from "../../app/static/js/live/partials.js";

const COMMENT = { id: "1", seq: 3, body: "Hello", likes_count: 0 };
let partials;

beforeEach(() => {
  partials = new Partials();
});

test("a response that was read before a like is completed with it", () => {
  partials.remember({ id: "1", seq: 5, likes_count: 2 });
  assert.deepEqual(partials.complete(COMMENT), { ...COMMENT, seq: 5, likes_count: 2 });
});

test("a response that is newer stays as it is", () => {
  partials.remember({ id: "1", seq: 2, likes_count: 2 });
  assert.deepEqual(partials.complete(COMMENT), COMMENT);
});

test("members of several partial states are combined, and an older one changes nothing", () => {
  partials.remember({ id: "1", seq: 4, title: "T" });
  partials.remember({ id: "1", seq: 5, likes_count: 2 });
  partials.remember({ id: "1", seq: 4, likes_count: 1 });
  assert.deepEqual(partials.complete(COMMENT), { ...COMMENT, seq: 5, title: "T", likes_count: 2 });
});

test("anything that is not a state is returned unchanged", () => {
  assert.equal(partials.complete(undefined), undefined);
  assert.equal(partials.complete(null), null);
});

test("beyond a thousand the oldest is dropped", () => {
  for (let id = 0; id <= 1_000; id += 1) partials.remember({ id: `${id}`, seq: 5 });
  assert.equal(partials.complete({ id: "0", seq: 1 }).seq, 1);
  assert.equal(partials.complete({ id: "1", seq: 1 }).seq, 5);
});
