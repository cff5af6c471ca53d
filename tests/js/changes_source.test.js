// A guest's stream without a stream: requests that a cache may answer. The server and the clock are the test's own.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { Stream } from "../../app/static/js/stream/stream.js";

const CREATED = "global.comment.create.success";

let requests; // {path, query, respond(changes), refuse(status), fail()}, in order
let stream;
let states;
let events;
let refusals;

class NoEventSource {
  static CLOSED = 2;

  constructor(address) {
    throw new Error(`a guest opened ${address}`);
  }
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 600_000 });
  requests = [];
  states = [];
  events = [];
  refusals = [];
  mock.method(globalThis, "fetch", (address, { signal }) => {
    const { pathname, search } = new URL(address, "http://parley.test");
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      requests.push({
        path: decodeURIComponent(pathname),
        query: decodeURIComponent(search.slice(1)),
        signal,
        respond: (events, cursor, next = `after=${cursor}&turn=1`) =>
          resolve(Response.json({ events, cursor, next })),
        refuse: (status) => resolve(Response.json({}, { status })),
        fail: () => reject(new TypeError("network")),
      });
    });
  });
  globalThis.EventSource = NoEventSource;
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { onLine: true } });
  stream = new Stream({
    onEvent: (name, data, cursor) => events.push([name, JSON.parse(data), cursor]),
    onState: (state) => states.push(state),
    onRefusal: (refusal) => refusals.push(refusal),
    pollsForGuests: true,
  });
});

afterEach(() => {
  stream.close();
  mock.timers.reset();
  mock.restoreAll();
});

async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await settled();
}

async function pass(ms) {
  for (let passed = 0; passed < ms; passed += 100) {
    mock.timers.tick(100);
    await settle();
  }
}

const created = (id) => ({ name: CREATED, data: { payload: { model: { id } } } });
const reset = { name: "reset", data: { topics: ["Article/1"], reason: "epoch" } };
const newest = () => requests.at(-1);
const open = (topics = ["Article/1"], cursors = ["page"]) => stream.open(topics, cursors, null);

async function respond(request, ...response) {
  request.respond(...response);
  await settle();
}

test("a guest gets the changes of each response, and then continues with its next query", async () => {
  open();
  assert.deepEqual([newest().path, newest().query], ["/changes/Article/1", "after=page&now=1"]);
  await respond(newest(), [], "e~a.1");
  assert.deepEqual(states, ["connecting", "live"]);
  assert.equal(newest().query, "after=e~a.1&turn=1");
  await respond(newest(), [created("one"), created("two")], "e~a.3", "after=e~a.3&turn=2");
  assert.equal(newest().query, "after=e~a.3&turn=2");
  assert.deepEqual(
    events.map(([name, data, cursor]) => [name, data.payload?.model.id, cursor]),
    [
      ["heartbeat", undefined, "e~a.1"],
      [CREATED, "one", "e~a.1"], // a tab that is suspended here gets both again
      [CREATED, "two", "e~a.1"],
      ["heartbeat", undefined, "e~a.3"],
    ],
  );
  assert.deepEqual(states, ["connecting", "live"]);
});

test("each topic has requests of its own, and the position has the cursors of all", async () => {
  open(["Article/a b", "Commentable/Article/a b"], ["page", "counts"]);
  assert.deepEqual(
    requests.map(({ path, query }) => [path, query]),
    [
      ["/changes/Article/a b", "after=page&after=counts&now=1"],
      ["/changes/Commentable/Article/a b", "after=page&after=counts&now=1"],
    ],
  );
  await respond(requests[1], [], "e~b.1");
  assert.equal(stream.cursor, "e~b.1,page,counts");
  await respond(requests[0], [], "e~a.1");
  assert.equal(stream.cursor, "e~b.1,e~a.1");
});

test("a stream that is opened at a position sends each of its cursors", async () => {
  open(["Article/1"], ["e~b.1,e~a.1", "e~a.1"]);
  assert.equal(newest().query, "after=e~b.1&after=e~a.1&now=1");
});

test("after a failure the guest continues from the position, with back-off", async () => {
  open();
  await respond(newest(), [], "e~a.1");
  newest().fail();
  await settle();
  assert.deepEqual(states, ["connecting", "live", "reconnecting"]);
  assert.equal(requests.length, 2);
  await pass(1_100);
  assert.equal(newest().query, "after=e~a.1&now=1");
  await respond(newest(), [created("missed")], "e~a.2");
  assert.deepEqual(states, ["connecting", "live", "reconnecting", "live"]);
  assert.equal(stream.cursor, "e~a.2");
});

test("one failed topic ends the requests of all, and the owner learns which topic is refused", async () => {
  open(["Article/1", "Article/gone"]);
  requests[1].refuse(422);
  await settle();
  assert.ok(requests[0].signal.aborted);
  await pass(1_100);
  assert.deepEqual(refusals, [{ status: 422, positions: [1] }]);
});

test("a full server refuses no topic", async () => {
  open();
  newest().refuse(503);
  await pass(1_100);
  assert.deepEqual(refusals, [{ status: 503, positions: [] }]);
});

test("a reset moves the position, so that it comes once", async () => {
  open();
  await respond(newest(), [reset], "f~a.9");
  assert.deepEqual(
    events.map(([name, , cursor]) => [name, cursor]),
    [
      ["reset", "f~a.9"],
      ["heartbeat", "f~a.9"],
    ],
  );
  assert.deepEqual(states, ["connecting", "live"]);
});

test("resets in a loop are delayed, and the rest of their response is dropped", async () => {
  open();
  for (let count = 0; count < 4; count += 1) await respond(newest(), [reset], `f~a.${count}`);
  assert.equal(events.filter(([name]) => name === "reset").length, 3);
  assert.equal(states.at(-1), "reconnecting");
  await pass(30_000);
  assert.equal(newest().query, "after=f~a.3&now=1");
});

test("a cache that repeats a response is not asked again at once", async () => {
  open();
  await respond(newest(), [], "e~a.1");
  await respond(newest(), [], "e~a.1");
  assert.equal(requests.length, 2);
  await pass(1_000);
  assert.equal(requests.length, 3);
});

test("a request without a response ends after half a minute", async () => {
  open();
  await respond(newest(), [], "e~a.1");
  await pass(29_900);
  assert.deepEqual(states, ["connecting", "live"]);
  await pass(200);
  assert.deepEqual(states, ["connecting", "live", "reconnecting"]);
});

test("without a first response the guest asks again, and never opens a stream", async () => {
  open();
  await pass(11_000);
  assert.deepEqual([requests.length, requests[0].signal.aborted], [2, true]);
  assert.deepEqual(states, ["connecting", "reconnecting"]);
});

test("a closed stream sends no request, and delivers nothing", async () => {
  open();
  const [request] = requests;
  stream.close();
  assert.ok(request.signal.aborted);
  await respond(request, [created("late")], "e~a.1");
  assert.deepEqual([events, requests.length, states.at(-1)], [[], 1, "idle"]);
});

test("somebody who is signed in gets a stream", () => {
  assert.throws(() => stream.open(["Article/1"], [], "1"), /a guest opened \/streams/);
});
