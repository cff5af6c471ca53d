// The courier sends what is in the outbox: when, in which order, and how often. Server, clock and outbox are the test's own.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import {
  LEADERSHIP_GAINED,
  OUTBOX_CHANGED,
  STREAM_STATE,
} from "../../app/static/js/core/events.js";
import * as rules from "../../app/static/js/outbox/outbox_rules.js";
import { OutboxSender } from "../../app/static/js/outbox/outbox_sender.js";
import "../../app/static/js/core/sync.js";

const ALICE = "alice";
const AGAIN_MS = 31_000; // longer than the longest back-off
const HELLO = { type: "comment", key: "1", root: "/api/comments/", user: ALICE };
const CREATE = { ...HELLO, act: "create", attrs: { body: "Hello" }, draft: {} };
const LOST = "lost"; // the server does what is asked, and the answer does not arrive
const UNREACHABLE = "unreachable";
const SECOND = { ...CREATE, key: "2", attrs: { body: "And more" } };

let requests; // {method, url, headers, body}, in order
let answers; // to one request after the other: [status, body, headers], or LOST; then the server decides
let stored; // comments by id
let outbox;
let tabs;
let bus;
let viewer;

class FakeRequest {
  #listeners = {};
  #request;
  #headers = {};
  status = 0;

  open(method, url) {
    this.#request = { method, url, headers: {} };
  }

  setRequestHeader(name, value) {
    this.#request.headers[name] = value;
  }

  addEventListener(name, act) {
    this.#listeners[name] = act;
  }

  getResponseHeader(name) {
    return this.#headers[name] ?? null;
  }

  send(body) {
    this.#request.body = body && JSON.parse(body);
    requests.push(this.#request);
    const given = answers.shift();
    const answer = given === undefined || given === LOST ? serve(this.#request) : given;
    queueMicrotask(() => {
      if (given === LOST || given === UNREACHABLE) return this.#listeners.error();
      const [status, content, headers = {}] = answer;
      this.#headers = headers;
      this.status = status;
      this.responseText = JSON.stringify(content);
      this.#listeners.load();
    });
  }

  abort() {}
}

// As ours: an id that is known is answered to with what is there.
function serve({ body }) {
  const id = body.id ?? `made up ${stored.size}`;
  const isNew = !stored.has(id);
  if (isNew) stored.set(id, { ...body, id, seq: stored.size + 1 });
  return [isNew ? 201 : 200, stored.get(id)];
}

class FakeOutbox {
  records = [];
  held = false;
  volatile = false;
  #change(records) {
    this.records = records;
    bus.trigger(OUTBOX_CHANGED, {});
  }
  add(change) {
    this.#change(rules.want(this.records, change));
  }
  next() {
    return rules.nextOf(this.records);
  }
  async send({ type, key }) {
    this.#change(rules.send(this.records, type, key));
    return rules.find(this.records, type, key);
  }
  async recall(before) {
    this.#change(rules.recall(this.records, before));
  }
  async confirm(sent, state, isNew) {
    this.#change(rules.confirm(this.records, sent, state, isNew));
  }
  async refuse(sent, problem) {
    this.#change(rules.refuse(this.records, sent, problem));
  }
  rest() {}
}

beforeEach(() => {
  globalThis.window = new EventTarget();
  mock.timers.enable({ apis: ["setTimeout"] });
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { onLine: true } });
  globalThis.XMLHttpRequest = FakeRequest;
  requests = [];
  answers = [];
  stored = new Map();
  viewer = ALICE;
  bus = { ...Backbone.Events };
  tabs = { leads: true, ...Backbone.Events };
  outbox = new FakeOutbox();
  new OutboxSender({ outbox, tabs, bus, viewer: () => viewer });
});

afterEach(() => mock.timers.reset());

async function settle() {
  for (let turn = 0; turn < 10; turn += 1) await settled();
}

async function wait(ms) {
  mock.timers.tick(ms);
  await settle();
}

const bodies = () => requests.map(({ body }) => body.body);

test("a comment whose answer is lost is sent again under its id, and is there once", async () => {
  answers = [LOST];
  outbox.add(CREATE);
  await settle();
  assert.equal(outbox.records.length, 1);
  await wait(AGAIN_MS);
  assert.deepEqual(bodies(), ["Hello", "Hello"]);
  assert.deepEqual([...stored.keys()], ["1"]);
  assert.deepEqual(outbox.records, []);
});

test("one is sent after the other, in the order in which they were wanted", async () => {
  outbox.add(CREATE);
  outbox.add(SECOND);
  assert.deepEqual(bodies(), [], "nothing leaves before it is stored");
  await settle();
  assert.deepEqual(bodies(), ["Hello", "And more"]);
  await wait(AGAIN_MS);
  assert.equal(requests.length, 2);
});

test("the next one waits until the first has arrived", async () => {
  answers = [[503, {}]];
  outbox.add(CREATE);
  outbox.add(SECOND);
  await settle();
  assert.deepEqual(bodies(), ["Hello"]);
  await wait(AGAIN_MS);
  assert.deepEqual(bodies(), ["Hello", "Hello", "And more"]);
});

test("a request says for whom it is", async () => {
  outbox.add(CREATE);
  await settle();
  assert.equal(requests[0].headers["Parley-User"], ALICE);
});

test("a tab that does not lead sends nothing, until it leads", async () => {
  tabs.leads = false;
  outbox.add(CREATE);
  await wait(AGAIN_MS);
  assert.equal(requests.length, 0);
  tabs.leads = true;
  tabs.trigger(LEADERSHIP_GAINED);
  await settle();
  assert.equal(requests.length, 1);
});

test("a tab that has nowhere to keep its outbox sends it itself", async () => {
  tabs.leads = false;
  outbox.volatile = true;
  outbox.add(CREATE);
  await settle();
  assert.equal(requests.length, 1);
});

test("nothing is sent for a guest, or while the outbox waits for its account to sign in", async () => {
  viewer = null;
  outbox.add(CREATE);
  await wait(AGAIN_MS);
  viewer = ALICE;
  outbox.held = true;
  bus.trigger(OUTBOX_CHANGED, {});
  await wait(AGAIN_MS);
  assert.equal(requests.length, 0);
});

for (const status of [401, 408, 425, 429, 502, 503, 504]) {
  test(`a comment that gets ${status} ten times is tried again`, async () => {
    answers = Array(10).fill([status, {}]);
    outbox.add(CREATE);
    await settle();
    for (let tries = 0; tries < 10; tries += 1) await wait(AGAIN_MS);
    assert.equal(requests.length, 11);
    assert.deepEqual(outbox.records, []);
    assert.equal(stored.size, 1);
  });
}

for (const status of [400, 403, 404, 409, 413, 422]) {
  test(`a comment that gets ${status} is refused, and the next one is sent`, async () => {
    answers = [[status, { detail: "No." }]];
    outbox.add(CREATE);
    outbox.add(SECOND);
    await settle();
    await wait(AGAIN_MS);
    assert.deepEqual(bodies(), ["Hello", "And more"]);
    assert.deepEqual(
      outbox.records.map(({ key, problem }) => [key, problem.message]),
      [["1", "No."]],
    );
  });
}

test("a server that fails five times over one comment is sent the next one", async () => {
  answers = Array(5).fill([500, {}]);
  outbox.add(CREATE);
  outbox.add(SECOND);
  for (let tries = 0; tries < 5; tries += 1) await wait(AGAIN_MS);
  assert.deepEqual(bodies(), [...Array(5).fill("Hello"), "And more"]);
  assert.equal(outbox.records[0].problem.status, 500);
});

test("a server that asks for a minute is given a minute", async () => {
  answers = [[429, {}, { "Retry-After": "60" }]];
  outbox.add(CREATE);
  await settle();
  await wait(59_000);
  assert.equal(requests.length, 1);
  await wait(1_000);
  assert.equal(requests.length, 2);
});

test("when the stream is live again, nobody waits any longer", async () => {
  answers = [LOST];
  outbox.add(CREATE);
  await settle();
  bus.trigger(STREAM_STATE, "live");
  await settle();
  assert.deepEqual(outbox.records, []);
});

test("what never left a browser without a network may not have arrived", async () => {
  navigator.onLine = false;
  answers = [UNREACHABLE];
  outbox.add(CREATE);
  await settle();
  assert.deepEqual(outbox.records[0].sent, []);
});

test("what was lost on the way may have arrived", async () => {
  answers = [LOST];
  outbox.add(CREATE);
  await settle();
  assert.deepEqual(outbox.records[0].sent, [{ body: "Hello" }]);
});
