// The outboxes of two tabs. There is no IndexedDB in Node, so each keeps its records in memory.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { SERVER_STATE } from "../../app/static/js/core/events.js";
import { Outbox } from "../../app/static/js/outbox/outbox.js";

const CREATE = {
  type: "comment",
  key: "1",
  root: "/api/comments/",
  act: "create",
  attrs: { body: "Hello" },
  draft: {},
};
const STORED = { id: "1", body: "Hello", seq: 7 };

let here;
let there;
let received; // states that the other tab got

class FakeTabs {
  static open = [];

  constructor() {
    Object.assign(this, Backbone.Events, { id: `tab ${FakeTabs.open.length}` });
    FakeTabs.open.push(this);
  }

  post(kind, data) {
    for (const tab of FakeTabs.open) tab.trigger(kind, data);
  }
}

beforeEach(async () => {
  FakeTabs.open = [];
  [here, there] = [0, 1].map(
    () => new Outbox({ bus: { ...Backbone.Events }, tabs: new FakeTabs() }),
  );
  received = [];
  there.on(SERVER_STATE, (type, state) => received.push([type, state]));
  for (const outbox of [here, there]) outbox.setUser("alice");
  await Promise.all([here.ready, there.ready]);
});

async function sendFrom(outbox) {
  const wanted = outbox.add(CREATE);
  return { wanted, sent: await outbox.markSent(CREATE) };
}

test("every tab gets the state in the server's response", async () => {
  const { wanted, sent } = await sendFrom(here);
  await here.confirm(sent, STORED, true);
  await settled();
  assert.deepEqual(await wanted, STORED);
  assert.deepEqual(received, [["comment", STORED]]);
  assert.deepEqual(here.records, []);
});

test("every tab gets the state in the server's refusal", async () => {
  const { wanted, sent } = await sendFrom(here);
  wanted.catch(() => {});
  await here.refuse(sent, { status: 412, comment: STORED });
  await settled();
  assert.deepEqual(received, [["comment", STORED]]);
});

test("a tab in which somebody else has signed in gets nothing", async () => {
  there.setUser("bob");
  const { sent } = await sendFrom(here);
  await here.confirm(sent, STORED, true);
  await settled();
  assert.deepEqual(received, []);
});

test("a response that comes after somebody else has signed in is stored for its account", async () => {
  const { sent } = await sendFrom(here);
  here.setUser("bob");
  await here.ready;
  assert.deepEqual(here.records, []);
  await here.confirm(sent, STORED, true);
  here.setUser("alice");
  await here.ready;
  assert.deepEqual(here.records, []);
});

test("a guest has no outbox", async () => {
  here.setUser(null);
  await assert.rejects(here.add(CREATE), { status: 401 });
});
