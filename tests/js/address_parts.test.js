import assert from "node:assert/strict";
import { test } from "node:test";
import { addressParts } from "../../app/static/js/stream/address_parts.js";

const addressOf = (items) => `/x?${items.join("&")}`;

test("items share addresses that are short enough, in their order", () => {
  const parts = addressParts(["aa", "bb", "cc", "dd", "ee"], addressOf, "/x?aa&bb".length);
  assert.deepEqual(parts, [["aa", "bb"], ["cc", "dd"], ["ee"]]);
});

test("an item that is too long has an address of its own", () => {
  assert.deepEqual(addressParts(["a", "long".repeat(9), "b"], addressOf, 9), [
    ["a"],
    ["long".repeat(9)],
    ["b"],
  ]);
});

test("no items need no address", () => {
  assert.deepEqual(addressParts([], addressOf), []);
});
