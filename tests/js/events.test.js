// Every event name is a constant of core/events.js; only Backbone's own names are spelled out.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const SOURCES = new URL("../../app/static/js/", import.meta.url);
const CALL =
  /(?:\.(?:trigger|on|once|off|post)\(|\.listenTo(?:Once)?\(\s*[^,]+,\s*)(?:"([^"]+)"|`([^`]+)`)/g;
const OF_BACKBONE = /^(?:add|remove|update|reset|sort|request|change(?::\w+)?)$/;

test("no module spells out an event name of its own", () => {
  const spelled = [];
  for (const path of readdirSync(SOURCES, { recursive: true })) {
    if (!path.endsWith(".js")) continue;
    const source = readFileSync(new URL(path, SOURCES), "utf8");
    for (const [, text, template] of source.matchAll(CALL)) {
      const names = (text ?? template).replaceAll(/\$\{[^}]+\}/g, "").split(" ");
      const ours = names.filter((name) => name !== "" && !OF_BACKBONE.test(name));
      spelled.push(...ours.map((name) => `${path}: ${name}`));
    }
  }
  assert.deepEqual(spelled, []);
});
