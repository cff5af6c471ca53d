// When, in which order and how often the outbox sender sends records. Server, clock and outbox are the test's own.

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
const RETRY_MS = 31_000; // longer than the longest back-off
const HELLO = { type: "comment", key: "1", root: "/api/comments/", user: ALICE };
const CREATE = { ...HELLO, act: "create", attrs: { body: "Hello" }, draft: {} };
const LOST = "lost"; // the server handles the request, and its response does not arrive
const UNREACHABLE = "unreachable";
const SECOND = { ...CREATE, key: "2", attrs: { body: "And more" } };

let requests; // {method, url, headers, body}, in order
let responses; // to the next requests: [status, body, headers], LOST or UNREACHABLE; after them the server decides
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
    const given = responses.shift();
    const response = given === undefined || given === LOST ? serve(this.#request) : given;
    queueMicrotask(() => {
      if (given === LOST || given === UNREACHABLE) return this.#listeners.error();
      const [status, content, headers = {}] = response;
      this.#headers = headers;
      this.status = status;
      this.responseText = JSON.stringify(content);
      this.#listeners.load();
    });
  }

  abort() {}
}

// Like our server: a request with a known id returns the stored comment.
function serve({ body }) {
  const id = body.id ?? `generated ${stored.size}`;
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
    this.#change(rules.add(this.records, change));
  }
  next() {
    return rules.findNext(this.records);
  }
  async markSent({ type, key }) {
    this.#change(rules.markSent(this.records, type, key));
    return rules.find(this.records, type, key);
  }
  async markUnsent(before) {
    this.#change(rules.markUnsent(this.records, before));
  }
  async confirm(sent, state, isNew) {
    this.#change(rules.confirm(this.records, sent, state, isNew));
  }
  async refuse(sent, problem) {
    this.#change(rules.refuse(this.records, sent, problem));
  }
  setBackingOff() {}
}

beforeEach(() => {
  globalThis.window = new EventTarget();
  mock.timers.enable({ apis: ["setTimeout"] });
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { onLine: true } });
  globalThis.XMLHttpRequest = FakeRequest;
  requests = [];
  responses = [];
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

test("a comment whose response was lost is sent again with its id, and is stored once", async () => {
  responses = [LOST];
  outbox.add(CREATE);
  await settle();
  assert.equal(outbox.records.length, 1);
  await wait(RETRY_MS);
  assert.deepEqual(bodies(), ["Hello", "Hello"]);
  assert.deepEqual([...stored.keys()], ["1"]);
  assert.deepEqual(outbox.records, []);
});

test("records are sent one after the other, in the order in which they were added", async () => {
  outbox.add(CREATE);
  outbox.add(SECOND);
  assert.deepEqual(bodies(), [], "nothing leaves before it is stored");
  await settle();
  assert.deepEqual(bodies(), ["Hello", "And more"]);
  await wait(RETRY_MS);
  assert.equal(requests.length, 2);
});

test("the next record waits until the first has arrived", async () => {
  responses = [[503, {}]];
  outbox.add(CREATE);
  outbox.add(SECOND);
  await settle();
  assert.deepEqual(bodies(), ["Hello"]);
  await wait(RETRY_MS);
  assert.deepEqual(bodies(), ["Hello", "Hello", "And more"]);
});

test("a request names its account", async () => {
  outbox.add(CREATE);
  await settle();
  assert.equal(requests[0].headers["Parley-User"], ALICE);
});

test("a tab that does not lead sends nothing, until it leads", async () => {
  tabs.leads = false;
  outbox.add(CREATE);
  await wait(RETRY_MS);
  assert.equal(requests.length, 0);
  tabs.leads = true;
  tabs.trigger(LEADERSHIP_GAINED);
  await settle();
  assert.equal(requests.length, 1);
});

test("a tab that cannot store its outbox sends it itself", async () => {
  tabs.leads = false;
  outbox.volatile = true;
  outbox.add(CREATE);
  await settle();
  assert.equal(requests.length, 1);
});

test("nothing is sent for a guest, or while the outbox waits for its account to sign in", async () => {
  viewer = null;
  outbox.add(CREATE);
  await wait(RETRY_MS);
  viewer = ALICE;
  outbox.held = true;
  bus.trigger(OUTBOX_CHANGED, {});
  await wait(RETRY_MS);
  assert.equal(requests.length, 0);
});

for (const status of [401, 408, 425, 429, 502, 503, 504]) {
  test(`a comment that gets ${status} ten times is tried again`, async () => {
    responses = Array(10).fill([status, {}]);
    outbox.add(CREATE);
    await settle();
    for (let tries = 0; tries < 10; tries += 1) await wait(RETRY_MS);
    assert.equal(requests.length, 11);
    assert.deepEqual(outbox.records, []);
    assert.equal(stored.size, 1);
  });
}

for (const status of [400, 403, 404, 409, 413, 422]) {
  test(`a comment that gets ${status} is refused, and the next one is sent`, async () => {
    responses = [[status, { detail: "No." }]];
    outbox.add(CREATE);
    outbox.add(SECOND);
    await settle();
    await wait(RETRY_MS);
    assert.deepEqual(bodies(), ["Hello", "And more"]);
    assert.deepEqual(
      outbox.records.map(({ key, problem }) => [key, problem.message]),
      [["1", "No."]],
    );
  });
}

test("after five server errors over one comment the next one is sent", async () => {
  responses = Array(5).fill([500, {}]);
  outbox.add(CREATE);
  outbox.add(SECOND);
  for (let tries = 0; tries < 5; tries += 1) await wait(RETRY_MS);
  assert.deepEqual(bodies(), [...Array(5).fill("Hello"), "And more"]);
  assert.equal(outbox.records[0].problem.status, 500);
});

test("a Retry-After of a minute is respected", async () => {
  responses = [[429, {}, { "Retry-After": "60" }]];
  outbox.add(CREATE);
  await settle();
  await wait(59_000);
  assert.equal(requests.length, 1);
  await wait(1_000);
  assert.equal(requests.length, 2);
});

test("when the stream is live again, the next attempt comes at once", async () => {
  responses = [LOST];
  outbox.add(CREATE);
  await settle();
  bus.trigger(STREAM_STATE, "live");
  await settle();
  assert.deepEqual(outbox.records, []);
});

test("a request from a browser without a network cannot have arrived", async () => {
  navigator.onLine = false;
  responses = [UNREACHABLE];
  outbox.add(CREATE);
  await settle();
  assert.deepEqual(outbox.records[0].sent, []);
});

test("a request without a response may have arrived", async () => {
  responses = [LOST];
  outbox.add(CREATE);
  await settle();
  assert.deepEqual(outbox.records[0].sent, [{ body: "Hello" }]);
});
