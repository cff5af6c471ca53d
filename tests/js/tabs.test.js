// The tabs of one browser share one stream: which tab leads, and which events each tab gets.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Browser } from "./browser_stub.js";

const CREATED = "global.comment.create.success";
const GATHER_MS = 200;
const NO_ANSWER_MS = 1_200; // until a leader that does not answer is replaced
const RETRY_MS = 35_000; // the longest back-off, and more

let browser;

beforeEach(() => {
  browser = new Browser();
});

afterEach(() => browser.end());

const say = (id, cursor, stream = browser.stream) =>
  stream.send(CREATED, { payload: { model: { id } } }, cursor);
const topics = () => browser.stream.query.getAll("topic").toSorted();
const cursors = () => browser.stream.query.getAll("cursor").toSorted();

async function openTwo() {
  const one = await browser.open("Article/1", "c1");
  const two = await browser.open("Article/2", "c2");
  await browser.wait(GATHER_MS);
  return [one, two];
}

test("two tabs share one stream, and both hear what it brings", async () => {
  const tabs = await openTwo();
  assert.deepEqual(
    tabs.map(({ leads }) => leads),
    [true, false],
  );
  assert.equal(browser.openStreams().length, 1);
  assert.deepEqual(topics(), ["Article/1", "Article/2"]);
  say("a", "c3");
  assert.deepEqual(
    tabs.map(({ connector }) => connector.lastEventId),
    ["c3", ""],
    "a broadcast takes a moment",
  );
  await browser.wait(100);
  assert.deepEqual(
    tabs.map(({ heard }) => heard),
    [["a"], ["a"]],
  );
});

test("when the leading tab is put aside, the next one leads, from where both had heard", async () => {
  const [one, two] = await openTwo();
  say("a", "c3");
  await browser.wait(100);
  await one.putAside();
  await browser.wait(GATHER_MS);
  assert.equal(two.leads, true);
  assert.equal(browser.openStreams().length, 1);
  assert.deepEqual([topics(), cursors()], [["Article/2"], ["c3"]]);
  say("b", "c4");
  await browser.wait(100);
  assert.deepEqual([one.heard, two.heard], [["a"], ["a", "b"]]);
});

test("the tabs that are left hear of a new leader, and what it hears", async () => {
  const [one, two] = await openTwo();
  const three = await browser.open("Article/3", "c3");
  await browser.wait(GATHER_MS);
  await one.putAside();
  await browser.wait(GATHER_MS);
  assert.deepEqual(topics(), ["Article/2", "Article/3"]);
  say("a", "c4");
  await browser.wait(100);
  assert.deepEqual([two.heard, three.heard], [["a"], ["a"]]);
});

test("a tab that comes back joins from the last event that it heard", async () => {
  const [one, two] = await openTwo();
  say("a", "c3");
  await browser.wait(100);
  await one.putAside();
  await browser.wait(GATHER_MS);
  say("b", "c4");
  await browser.wait(100);
  await one.comeBack();
  await browser.wait(GATHER_MS);
  assert.deepEqual([one.leads, two.leads], [false, true]);
  assert.deepEqual(
    [topics(), cursors()],
    [
      ["Article/1", "Article/2"],
      ["c3", "c4"],
    ],
  );
  say("b", "c4");
  await browser.wait(100);
  assert.deepEqual(one.heard, ["a", "b"]);
});

test("a tab that comes later begins at its own cursor, and the others go on from the stream's", async () => {
  await openTwo();
  say("a", "c5");
  await browser.wait(100);
  await browser.open("Article/3", "c4");
  await browser.wait(GATHER_MS);
  assert.deepEqual(cursors(), ["c4", "c5"]);
});

test("a tab that has nothing to follow takes no events, and goes on from where it was", async () => {
  const [one, two] = await openTwo();
  say("a", "c3");
  await browser.wait(100);
  two.connector.close();
  say("b", "c4");
  await browser.wait(100);
  assert.deepEqual([one.heard, two.heard], [["a", "b"], ["a"]]);
  two.connector.resume();
  await browser.wait(GATHER_MS);
  assert.deepEqual(cursors(), ["c3", "c4"]);
});

test("a leader that hangs is replaced, and when it goes on it does not lead", async () => {
  const [one, two] = await openTwo();
  one.hang();
  await two.look();
  await browser.wait(NO_ANSWER_MS);
  assert.equal(two.leads, true);
  one.goOn();
  await browser.wait(GATHER_MS);
  assert.deepEqual([one.leads, two.leads], [false, true]);
  assert.equal(browser.openStreams().length, 1);
});

test("if the next leader hangs when a leader leaves, a tab that is looked at replaces it", async () => {
  const [one, two] = await openTwo();
  const three = await browser.open("Article/3", "c3");
  two.hang();
  await one.putAside();
  await browser.wait(NO_ANSWER_MS);
  assert.equal(three.leads, true);
  assert.deepEqual(browser.stream.query.getAll("topic"), ["Article/3"]);
});

test("the stream ends when the last tab has nothing to follow", async () => {
  const [one, two] = await openTwo();
  one.connector.close();
  await browser.wait(GATHER_MS);
  assert.equal(browser.openStreams().length, 1);
  two.connector.close();
  await browser.wait(GATHER_MS);
  assert.equal(browser.openStreams().length, 0);
});

test("an address that a proxy calls too long is shorter the next time", async () => {
  mock.method(globalThis, "fetch", async () => new Response("", { status: 414 }));
  await browser.open(`Article/${"long".repeat(40)}`, "c1");
  await browser.open(`Article/${"longer".repeat(40)}`, "c2");
  await browser.wait(GATHER_MS);
  const refused = browser.stream;
  refused.refuse();
  await browser.wait(RETRY_MS);
  assert.notEqual(browser.stream, refused);
  assert.ok(browser.stream.length < refused.length);
});
