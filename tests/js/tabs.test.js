// The tabs of one browser share one stream: which tab leads, and which events each tab gets.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Browser } from "./browser_stub.js";

const CREATED = "global.comment.create.success";
const ROUND_MS = 200; // more than it takes to start a round
const LEADER_REPLACED_MS = 1_200; // after a leader did not answer
const RETRY_MS = 35_000; // more than the longest back-off

let browser;

beforeEach(() => {
  browser = new Browser();
});

afterEach(() => browser.end());

const sendComment = (id, cursor, stream = browser.stream) =>
  stream.send(CREATED, { payload: { model: { id } } }, cursor);
const topics = () => browser.stream.query.getAll("topic").toSorted();
const cursors = () => browser.stream.query.getAll("cursor").toSorted();

async function openTwo() {
  const one = await browser.open("Article/1", "c1");
  const two = await browser.open("Article/2", "c2");
  await browser.wait(ROUND_MS);
  return [one, two];
}

test("two tabs share one stream, and both get its events", async () => {
  const tabs = await openTwo();
  assert.deepEqual(
    tabs.map(({ leads }) => leads),
    [true, false],
  );
  assert.equal(browser.openStreams().length, 1);
  assert.deepEqual(topics(), ["Article/1", "Article/2"]);
  sendComment("a", "c3");
  assert.deepEqual(
    tabs.map(({ connector }) => connector.lastEventId),
    ["c3", ""],
    "a broadcast takes a moment",
  );
  await browser.wait(100);
  assert.deepEqual(
    tabs.map(({ received }) => received),
    [["a"], ["a"]],
  );
});

test("when the leading tab is suspended, the next one leads, from the last event of both", async () => {
  const [one, two] = await openTwo();
  sendComment("a", "c3");
  await browser.wait(100);
  await one.suspend();
  await browser.wait(ROUND_MS);
  assert.equal(two.leads, true);
  assert.equal(browser.openStreams().length, 1);
  assert.deepEqual([topics(), cursors()], [["Article/2"], ["c3"]]);
  sendComment("b", "c4");
  await browser.wait(100);
  assert.deepEqual([one.received, two.received], [["a"], ["a", "b"]]);
});

test("the remaining tabs join a new leader, and get its events", async () => {
  const [one, two] = await openTwo();
  const three = await browser.open("Article/3", "c3");
  await browser.wait(ROUND_MS);
  await one.suspend();
  await browser.wait(ROUND_MS);
  assert.deepEqual(topics(), ["Article/2", "Article/3"]);
  sendComment("a", "c4");
  await browser.wait(100);
  assert.deepEqual([two.received, three.received], [["a"], ["a"]]);
});

test("a tab that is resumed joins from the last event that it received", async () => {
  const [one, two] = await openTwo();
  sendComment("a", "c3");
  await browser.wait(100);
  await one.suspend();
  await browser.wait(ROUND_MS);
  sendComment("b", "c4");
  await browser.wait(100);
  await one.resume();
  await browser.wait(ROUND_MS);
  assert.deepEqual([one.leads, two.leads], [false, true]);
  assert.deepEqual(
    [topics(), cursors()],
    [
      ["Article/1", "Article/2"],
      ["c3", "c4"],
    ],
  );
  sendComment("b", "c4");
  await browser.wait(100);
  assert.deepEqual(one.received, ["a", "b"]);
});

test("a tab that joins later begins at its own cursor, and the others continue from the stream's", async () => {
  await openTwo();
  sendComment("a", "c5");
  await browser.wait(100);
  await browser.open("Article/3", "c4");
  await browser.wait(ROUND_MS);
  assert.deepEqual(cursors(), ["c4", "c5"]);
});

test("a tab that has nothing to follow gets no events, and continues later from its last event", async () => {
  const [one, two] = await openTwo();
  sendComment("a", "c3");
  await browser.wait(100);
  two.connector.close();
  sendComment("b", "c4");
  await browser.wait(100);
  assert.deepEqual([one.received, two.received], [["a", "b"], ["a"]]);
  two.connector.resume();
  await browser.wait(ROUND_MS);
  assert.deepEqual(cursors(), ["c3", "c4"]);
});

test("a leader that hangs is replaced, and does not lead when it runs again", async () => {
  const [one, two] = await openTwo();
  one.hang();
  await two.focus();
  await browser.wait(LEADER_REPLACED_MS);
  assert.equal(two.leads, true);
  one.unhang();
  await browser.wait(ROUND_MS);
  assert.deepEqual([one.leads, two.leads], [false, true]);
  assert.equal(browser.openStreams().length, 1);
});

test("a leader that answers goes on leading when another tab gets the focus", async () => {
  const [one, two] = await openTwo();
  const { stream } = browser;
  await two.focus();
  await browser.wait(LEADER_REPLACED_MS);
  assert.deepEqual([one.leads, two.leads], [true, false]);
  assert.deepEqual(browser.openStreams(), [stream]);
});

test("if the next leader hangs when a leader is suspended, a visible tab replaces it", async () => {
  const [one, two] = await openTwo();
  const three = await browser.open("Article/3", "c3");
  two.hang();
  await one.suspend();
  await browser.wait(LEADER_REPLACED_MS);
  assert.equal(three.leads, true);
  assert.deepEqual(browser.stream.query.getAll("topic"), ["Article/3"]);
});

test("the stream ends when the last tab has nothing to follow", async () => {
  const [one, two] = await openTwo();
  one.connector.close();
  await browser.wait(ROUND_MS);
  assert.equal(browser.openStreams().length, 1);
  two.connector.close();
  await browser.wait(ROUND_MS);
  assert.equal(browser.openStreams().length, 0);
});

test("after a proxy refused an address as too long, the next one is shorter", async () => {
  mock.method(globalThis, "fetch", async () => new Response("", { status: 414 }));
  await browser.open(`Article/${"long".repeat(40)}`, "c1");
  await browser.open(`Article/${"longer".repeat(40)}`, "c2");
  await browser.wait(ROUND_MS);
  const refused = browser.stream;
  refused.refuse();
  await browser.wait(RETRY_MS);
  assert.notEqual(browser.stream, refused);
  assert.ok(browser.stream.length < refused.length);
});
