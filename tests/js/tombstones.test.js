import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Tombstones } from "../../app/static/js/live/tombstones.js";

let tombstones;
beforeEach(() => {
  tombstones = new Tombstones();
});

test("a late response does not bring back a deleted comment, but a newer state does", () => {
  tombstones.add("1", 5);
  assert.ok(tombstones.covers({ id: "1", seq: 4 }));
  assert.ok(tombstones.covers({ id: "1", seq: 5 }));
  assert.ok(!tombstones.covers({ id: "1", seq: 6 }));
  assert.ok(!tombstones.covers({ id: "2", seq: 1 }));
});

test("the seq from the stream replaces the unknown seq of our own deletion", () => {
  tombstones.add("1", Number.POSITIVE_INFINITY);
  assert.ok(tombstones.covers({ id: "1", seq: 1_000 }));
  tombstones.add("1", 5);
  assert.ok(!tombstones.covers({ id: "1", seq: 6 }));
});

test("an older deletion that arrives late changes nothing", () => {
  tombstones.add("1", 5);
  tombstones.add("1", 3);
  assert.ok(tombstones.covers({ id: "1", seq: 5 }));
});

test("beyond a thousand the oldest is forgotten", () => {
  for (let id = 0; id <= 1_000; id += 1) tombstones.add(`${id}`, 1);
  assert.ok(!tombstones.covers({ id: "0", seq: 1 }));
  assert.ok(tombstones.covers({ id: "1", seq: 1 }));
  assert.ok(tombstones.covers({ id: "1000", seq: 1 }));
});
