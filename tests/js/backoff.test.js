import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { backoff } from "../../app/static/js/core/backoff.js";

function waits(random) {
  const mocked = mock.method(Math, "random", () => random);
  const found = [0, 1, 2, 5, 6, 7, 1_000].map(backoff);
  mocked.mock.restore();
  return found;
}

test("the wait doubles with each failure, up to thirty seconds", () => {
  assert.deepEqual(waits(1), [500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
});

test("pages that lost the server together come back at different times, in the upper half", () => {
  assert.deepEqual(waits(0), [250, 500, 1_000, 8_000, 15_000, 15_000, 15_000]);
});
