// A module that a feature's start.js imports when it is needed exports its view only, because `show` of lazy_part.js
// makes a view of the first export.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const SOURCES = new URL("../../app/static/js/", import.meta.url);

test("a part of the page exports one view", () => {
  const starts = readdirSync(SOURCES, { recursive: true }).filter((path) =>
    path.endsWith("start.js"),
  );
  const exported = starts.flatMap((path) => {
    const start = new URL(path, SOURCES);
    const parts = readFileSync(start, "utf8").matchAll(/\bimport\("([^"]+)"\)/g);
    return Array.from(parts, ([, name]) => {
      const source = readFileSync(new URL(name, start), "utf8");
      return [name, source.match(/^export /gm)?.length];
    });
  });
  assert.ok(exported.length > 5);
  assert.deepEqual(
    exported.filter(([, count]) => count !== 1),
    [],
  );
});
