// The leading tab opens one stream for all tabs. The other tabs, and the stream, are the test's own.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { LEADERSHIP_LOST, ROUND_STARTED, TAB_JOINED } from "../../app/static/js/core/events.js";
import { StreamLeader } from "../../app/static/js/stream/stream_leader.js";

const asked = []; // queries of the streams that were opened
let rounds;
let tabs;
let present;

class FakeEventSource extends EventTarget {
  constructor(address) {
    super();
    asked.push(new URL(address, "http://parley.test").searchParams);
  }

  close() {}
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  globalThis.EventSource = FakeEventSource;
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { onLine: true } });
  asked.length = 0;
  rounds = [];
  present = [];
  tabs = {
    leads: true,
    present: async () => present,
    post(kind, data) {
      if (kind === ROUND_STARTED) rounds.push(data);
    },
    ...Backbone.Events,
  };
  new StreamLeader(tabs);
});

afterEach(() => {
  tabs.trigger(LEADERSHIP_LOST);
  mock.timers.reset();
});

const join = (tab, topics, cursors, user = "1") =>
  tabs.trigger(TAB_JOINED, { tab, user, topics, cursors });

async function joinMany(number, topics, cursors) {
  present = Array.from({ length: number }, (_, tab) => `${tab}`);
  for (const tab of present) {
    const named = (names) => names.map((name) => `${name} ${tab}`);
    join(tab, named(topics), named(cursors));
  }
  await settled();
}

for (const [number, topics, cursors, expected] of [
  [60, ["Article", "Commentable"], ["one"], [49, 98, 49]],
  [60, ["Article"], ["thread", "account", "commentable"], [33, 33, 99]],
  [3, ["Article", "Commentable"], ["one"], [3, 6, 3]],
]) {
  test(`of ${number} tabs with ${topics.length} topics ${expected[0]} are in the round`, async () => {
    await joinMany(number, topics, cursors);
    const query = asked.at(-1);
    const { tabs: served } = rounds.at(-1);
    const sizes = [served.length, query.getAll("topic").length, query.getAll("cursor").length];
    assert.deepEqual(sizes, expected);
    assert.equal(served[0], `${number - 1}`, "the tab that was opened last comes first");
  });
}

test("a round begins at once when all tabs have answered", async () => {
  present = ["1", "2"];
  join("1", ["Article/1"], ["a"]);
  await settled();
  assert.equal(asked.length, 0, "the second tab has not answered");
  join("2", ["Article/2"], ["b"]);
  await settled();
  assert.equal(asked.length, 1);
});

test("a tab that does not answer holds up the round for a tenth of a second", async () => {
  present = ["1", "2"];
  join("1", ["Article/1"], ["a"]);
  await settled();
  mock.timers.tick(100);
  assert.deepEqual(rounds.at(-1).tabs, ["1"]);
});

test("a round is for the account of the newest tab only", async () => {
  present = ["1", "2"];
  join("1", ["Article/1"], ["a"], "1");
  join("2", ["Article/2"], ["b"], "2");
  await settled();
  assert.deepEqual(rounds.at(-1).tabs, ["2"]);
  assert.equal(asked.at(-1).get("user"), "2");
});
