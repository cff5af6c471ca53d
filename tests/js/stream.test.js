// One EventSource and its replacements: state by state, with an EventSource and a clock of the test's own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { Stream } from "../../app/static/js/stream/stream.js";
import { TRANSITIONS } from "../../app/static/js/stream/stream_states.js";

const START_MS = 600_000; // of the clock
const CREATED = "global.comment.create.success";

const made = []; // EventSources, in order
const newest = () => made.at(-1);

class FakeEventSource extends EventTarget {
  static CLOSED = 2;
  readyState = 0;

  constructor(address) {
    super();
    this.query = new URL(address, "http://parley.test").searchParams;
    made.push(this);
  }

  close() {
    this.readyState = 2;
  }

  send(name, data, lastEventId) {
    this.readyState = 1;
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
  }

  fail(readyState) {
    this.readyState = readyState;
    this.dispatchEvent(new Event("error"));
  }
}

let stream;
let states;
let events;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: START_MS });
  mock.method(globalThis, "fetch", async () => Response.error());
  globalThis.EventSource = FakeEventSource;
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { onLine: true } });
  made.length = 0;
  states = [];
  events = [];
  stream = new Stream({
    onEvent: (name, _data, cursor) => events.push([name, cursor]),
    onState: (state) => states.push(state),
  });
});

afterEach(() => {
  stream.close();
  mock.timers.reset();
  mock.restoreAll();
});

// -- what can happen

const open = () => stream.open(["Article/1"], ["snapshot"]);
const caughtUp = () => newest().send("heartbeat", { cursor: "c5" }, "c5");
const behind = () => newest().send("heartbeat", { cursor: "c5" }, "c3");
const lost = () => newest().fail(0); // the browser reconnects by itself
const closed = () => newest().fail(2); // the browser has given up
const auth = () => newest().send("auth", { reason: "ended" }, "");
const reset = () => newest().send("reset", { topics: ["Article/1"], reason: "epoch" }, "c9");
const change = (id) => () => newest().send(CREATED, { payload: { model: {} } }, id);
const offline = () => stream.handleOffline();
const online = () => stream.handleOnline();
const close = () => stream.close();
// In small steps, because the stream looks at the clock in intervals.
const pass = (ms) => () => {
  for (let passed = 0; passed < ms; passed += 100) mock.timers.tick(Math.min(100, ms - passed));
};
const pollsForAMinute = [pass(20_000), lost, caughtUp, pass(20_000), lost, caughtUp, pass(21_000)];

const run = (...steps) => {
  for (const step of steps) step();
};
const query = () => decodeURIComponent(newest().query.toString());

// -- states

const HISTORIES = [
  ["opened", [open], ["connecting"]],
  ["nothing was missed", [open, caughtUp], ["connecting", "live"]],
  ["something was missed", [open, behind], ["connecting", "catching-up"]],
  ["caught up", [open, behind, change("c4"), change("c5")], ["connecting", "catching-up", "live"]],
  ["not caught up yet", [open, behind, change("c4")], ["connecting", "catching-up"]],
  [
    "no more events: caught up",
    [open, behind, change("c7"), pass(1_100)],
    ["connecting", "catching-up", "live"],
  ],
  ["fallen behind", [open, caughtUp, behind], ["connecting", "live", "catching-up"]],
  ["lost", [open, caughtUp, lost], ["connecting", "live", "reconnecting"]],
  ["lost before the first event", [open, lost], ["connecting", "reconnecting"]],
  ["lost while catching up", [open, behind, lost], ["connecting", "catching-up", "reconnecting"]],
  ["reconnected", [open, caughtUp, lost, caughtUp], ["connecting", "live", "reconnecting", "live"]],
  [
    "reconnected, and something was missed",
    [open, caughtUp, lost, behind, change("c5")],
    ["connecting", "live", "reconnecting", "catching-up", "live"],
  ],
  [
    "lost again and again",
    [open, caughtUp, lost, lost, lost, lost],
    ["connecting", "live", "reconnecting", "offline"],
  ],
  [
    "back after being offline",
    [open, lost, lost, lost, lost, caughtUp],
    ["connecting", "reconnecting", "offline", "live"],
  ],
  ["the browser is offline", [open, caughtUp, offline], ["connecting", "live", "offline"]],
  [
    "the browser is online again",
    [open, caughtUp, offline, lost, online, caughtUp],
    ["connecting", "live", "offline", "live"],
  ],
  ["the login has ended", [open, caughtUp, auth, lost], ["connecting", "live", "signed-out"]],
  [
    "an ended login stays so",
    [open, caughtUp, auth, lost, lost],
    ["connecting", "live", "signed-out"],
  ],
  ["the stream goes on for a guest", [open, caughtUp, auth, caughtUp], ["connecting", "live"]],
  [
    "somebody else signs in",
    [open, caughtUp, auth, lost, open, caughtUp],
    ["connecting", "live", "signed-out", "connecting", "live"],
  ],
  ["nothing arrives, so the page polls", [open, pass(10_100)], ["connecting"]],
  ["a poll is answered", [open, pass(10_100), caughtUp], ["connecting", "polling"]],
  [
    "a poll ends, and the next one is answered",
    [open, pass(10_100), caughtUp, lost, caughtUp, lost],
    ["connecting", "polling"],
  ],
  [
    "a poll without an answer",
    [open, pass(10_100), caughtUp, lost, lost],
    ["connecting", "polling", "reconnecting"],
  ],
  [
    "not even a poll gets through",
    [open, pass(10_100), pass(10_100)],
    ["connecting", "reconnecting"],
  ],
  [
    "streaming again after polling",
    [open, pass(10_100), caughtUp, ...pollsForAMinute, caughtUp],
    ["connecting", "polling", "live"],
  ],
  ["no heartbeat", [open, caughtUp, pass(40_000)], ["connecting", "live", "reconnecting"]],
  ["closed", [open, caughtUp, close], ["connecting", "live", "idle"]],
  ["a reset goes on from the head", [open, caughtUp, reset], ["connecting", "live"]],
  [
    "resets in a loop",
    [open, caughtUp, reset, reset, reset, reset],
    ["connecting", "live", "reconnecting"],
  ],
];

for (const [name, steps, expected] of HISTORIES) {
  test(name, () => {
    run(...steps);
    assert.deepEqual(states, expected);
  });
}

test("the drawing in docs/browser.md shows all transitions but those that are the same everywhere", () => {
  const everywhere = { open: "connecting", close: "idle", ended: "signed-out" };
  const expected = [];
  for (const [state, inputs] of Object.entries(TRANSITIONS)) {
    if (state !== "idle") assert.deepEqual({ ...inputs, ...everywhere }, inputs);
    for (const [input, to] of Object.entries(inputs)) {
      const isDrawn = to !== state && (state === "idle" || !(input in everywhere));
      if (isDrawn) expected.push(`${state} --> ${to}: ${input}`);
    }
  }
  const page = readFileSync(new URL("../../docs/browser.md", import.meta.url), "utf8");
  const drawn = page.matchAll(/^ +([\w-]+ --> [\w-]+: \w+)$/gm);
  assert.deepEqual([...drawn].map(([, line]) => line).sort(), expected.sort());
});

// -- connections

test("a stream that the browser gave up continues at its last position", () => {
  run(open, caughtUp, change("c6"), closed);
  assert.equal(made.length, 1);
  run(pass(1_100));
  assert.equal(made.length, 2);
  assert.equal(query(), "topic=Article/1&cursor=c6&user=");
});

test("each attempt waits longer, up to a bound", () => {
  mock.method(Math, "random", () => 1);
  run(open);
  const waits = [];
  for (let attempt = 0; attempt < 10; attempt += 1) {
    closed();
    const before = made.length;
    let waited = 0;
    for (; made.length === before; waited += 250) run(pass(250));
    waits.push(waited);
  }
  const longest = Array.from({ length: 5 }, () => 30_000);
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, ...longest]);
});

test("a refused stream asks for the reason, and its owner may open another one instead", async () => {
  const fetched = mock.method(globalThis, "fetch", async () => {
    const headers = { "Content-Type": "application/problem+json" };
    return new Response('{"topic_positions": [0]}', { status: 422, headers });
  });
  const refusals = [];
  stream = new Stream({
    onEvent() {},
    onState() {},
    onRefusal(refusal) {
      refusals.push(refusal);
      if (refusals.length > 1) stream.open([], [], null, stream.failures);
    },
  });
  run(open, closed);
  await settled();
  run(pass(1_100));
  assert.deepEqual(refusals, [{ status: 422, positions: [0] }]);
  assert.match(fetched.mock.calls[0].arguments[0], /&once=1$/);
  assert.equal(query(), "topic=Article/1&cursor=snapshot&user=", "its owner did nothing");
  run(closed);
  await settled();
  run(pass(2_100));
  assert.equal(query(), "user=");
  assert.equal(made.length, 3);
  assert.equal(stream.failures, 2);
});

test("the browser reconnects a lost connection, and no second one is opened", () => {
  run(open, caughtUp, lost, pass(5_000));
  assert.equal(made.length, 1);
});

test("silence is noticed after the machine slept", () => {
  run(open, caughtUp, pass(30_000));
  assert.equal(made.length, 1);
  mock.timers.setTime(START_MS + 3_600_000); // the clock goes on, without ticks
  run(pass(2_100));
  assert.equal(made.length, 2);
  assert.equal(made[0].readyState, 2);
});

test("silence is noticed although the clock was set back", () => {
  run(open, caughtUp);
  const now = Date.now;
  mock.method(Date, "now", () => now() - 86_400_000);
  run(pass(50_000));
  assert.ok(made.length > 1);
});

test("a person who looks at the page again ends a wait, but not a live stream", () => {
  run(open, caughtUp, () => stream.check());
  assert.equal(made.length, 1);
  run(closed, () => stream.check());
  assert.equal(made.length, 2);
  run(pass(60_000)); // the attempt that was scheduled before does not happen as well
  assert.equal(made.filter(({ readyState }) => readyState !== 2).length, 1);
});

test("polls are single requests, and streaming is tried after longer and longer times", () => {
  run(open, pass(10_100));
  assert.equal(query(), "topic=Article/1&cursor=snapshot&user=&once=1");
  run(caughtUp, ...pollsForAMinute);
  assert.equal(query(), "topic=Article/1&cursor=c5&user=");
  run(pass(10_100), caughtUp, ...pollsForAMinute);
  assert.ok(newest().query.has("once"), "the second time it takes two minutes");
});

test("a loop of resets is slowed down, and no reset is lost", () => {
  const resets = () => events.filter(([name]) => name === "reset").length;
  run(open, caughtUp, reset, reset, reset, reset);
  assert.equal(resets(), 3);
  assert.equal(made[0].readyState, 2);
  run(pass(31_000));
  assert.equal(resets(), 4);
  assert.equal(made[1].query.get("cursor"), "c9");
});

test("a closed stream does not connect again", () => {
  run(open, caughtUp, close, pass(120_000));
  assert.equal(made.length, 1);
});
