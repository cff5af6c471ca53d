// The outboxes of two tabs. There is no IndexedDB in Node, so each keeps its records in memory.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
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
let heard; // by the other tab: what the server has

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
  heard = [];
  there.on("state", (type, state) => heard.push([type, state]));
  for (const outbox of [here, there]) outbox.belongTo("alice");
  await Promise.all([here.ready, there.ready]);
});

async function sendFrom(outbox) {
  const wanted = outbox.add(CREATE);
  return { wanted, sent: await outbox.send(CREATE) };
}

test("every tab is told what the server has answered", async () => {
  const { wanted, sent } = await sendFrom(here);
  await here.confirm(sent, STORED, true);
  await settled();
  assert.deepEqual(await wanted, STORED);
  assert.deepEqual(heard, [["comment", STORED]]);
  assert.deepEqual(here.records, []);
});

test("every tab is told what the server has when it refuses", async () => {
  const { wanted, sent } = await sendFrom(here);
  wanted.catch(() => {});
  await here.refuse(sent, { status: 412, comment: STORED });
  await settled();
  assert.deepEqual(heard, [["comment", STORED]]);
});

test("a tab in which somebody else has signed in is told nothing", async () => {
  there.belongTo("bob");
  const { sent } = await sendFrom(here);
  await here.confirm(sent, STORED, true);
  await settled();
  assert.deepEqual(heard, []);
});

test("an answer that comes after somebody else has signed in is kept for its account", async () => {
  const { sent } = await sendFrom(here);
  here.belongTo("bob");
  await here.ready;
  assert.deepEqual(here.records, []);
  await here.confirm(sent, STORED, true);
  here.belongTo("alice");
  await here.ready;
  assert.deepEqual(here.records, []);
});

test("a guest has no outbox", async () => {
  here.belongTo(null);
  await assert.rejects(here.add(CREATE), { status: 401 });
});
