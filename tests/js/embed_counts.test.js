// The numbers of comments in a page of another site, with a fake server, a fake EventSource and a mocked clock.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { embedCounts } from "../../app/static/js/embed/embed_counts.js";

const HOME = "https://talk.example.com/";
const UPDATED = "global.commentable.update.success";

const streams = []; // EventSources, in order
const requests = []; // addresses
const warnings = []; // in the console
let counts; // the server's, by topics
let isReachable;
let isListed;
let update;
let visibility;

class FakeEventSource extends EventTarget {
  readyState = 0;

  constructor(address) {
    super();
    this.address = address;
    this.query = new URL(address).searchParams;
    this.addEventListener("open", () => this.onopen());
    this.addEventListener("error", () => this.onerror());
    streams.push(this);
  }

  close() {
    this.readyState = 2;
  }

  answer() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
    this.send("heartbeat", {}, "begun");
  }

  send(name, data, lastEventId) {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
  }

  fail(readyState) {
    this.readyState = readyState;
    this.dispatchEvent(new Event("error"));
  }
}

// Like the server, it removes slashes at the end of an id.
function read(url) {
  if (!isReachable) throw new TypeError("Failed to fetch");
  if (url.pathname === "/embed/check") return { listed: isListed, message: "Add the origin." };
  if (!isListed) throw new TypeError("blocked by CORS");
  const answer = { commentables: [], cursor: "snapshot", names: {}, refused: {} };
  for (const name of url.searchParams.getAll("topic")) {
    const [type, id] = name.replace(/\/+$/, "").split("/");
    if (type !== "Article") answer.refused[name] = "the type must be Article";
    else answer.names[name] = `${type}/${id}`;
  }
  for (const topic of new Set(Object.values(answer.names))) {
    const [commentable_type, commentable_id] = topic.split("/");
    const comments_count = counts[topic] ?? 0;
    answer.commentables.push({ commentable_type, commentable_id, comments_count });
  }
  return answer;
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(console, "warn", (text) => warnings.push(text));
  mock.method(globalThis, "fetch", async (address, { credentials }) => {
    assert.equal(credentials, "omit");
    requests.push(address);
    return { json: async () => read(new URL(address)) };
  });
  globalThis.EventSource = FakeEventSource;
  streams.length = requests.length = warnings.length = 0;
  counts = { "Article/1": 3 };
  isReachable = isListed = true;
  visibility = new EventTarget();
  document.addEventListener = visibility.addEventListener.bind(visibility);
  document.hidden = false;
  update = embedCounts(HOME);
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

const page = (...names) =>
  names.map((parleyCount) => ({ dataset: { parleyCount }, textContent: "" }));
const texts = (elements) => elements.map(({ textContent }) => textContent);
const newest = () => streams.at(-1);
const isOpen = () => newest()?.readyState < 2;

async function pass(ms) {
  for (let passed = 0; passed < ms; passed += 100) {
    mock.timers.tick(100);
    await settled();
    await settled();
  }
}

async function setHidden(isHidden) {
  document.hidden = isHidden;
  visibility.dispatchEvent(new Event("visibilitychange"));
  await pass(100);
}

async function followed(...names) {
  const elements = page(...names);
  update(elements);
  await pass(200);
  newest().answer();
  return elements;
}

const updated = (id, comments_count) => ({
  payload: { model: { commentable_type: "Article", commentable_id: id, comments_count } },
});

test("all numbers of a page need one request and one stream", async () => {
  const elements = await followed("Article/1", "Article/2", "Article/1/");
  assert.deepEqual(texts(elements), [3, 0, 3]);
  newest().send(UPDATED, updated("1", 4), "c1");
  assert.deepEqual(texts(elements), [4, 0, 4]);
  assert.deepEqual([requests.length, streams.length], [1, 1]);
  const { query } = newest();
  assert.deepEqual(query.getAll("topic"), ["Commentable/Article/1", "Commentable/Article/2"]);
  assert.deepEqual([query.get("cursor"), query.get("guest")], ["snapshot", "1"]);
});

test("a page without numbers sends no request", async () => {
  update([]);
  await pass(1_000);
  assert.deepEqual([requests, streams], [[], []]);
});

test("names that appear one by one need one request", async () => {
  for (const count of [1, 2, 3]) {
    update(page("Article/1", "Article/2", "Article/3").slice(0, count));
    mock.timers.tick(50);
  }
  await pass(200);
  assert.equal(requests.length, 1);
});

test("a wrong name is explained once, and the others have their numbers", async () => {
  const elements = await followed("Blog/7", "Article/1");
  assert.deepEqual(texts(elements), ["", 3]);
  newest().fail(2);
  await pass(2_000);
  assert.equal(requests.length, 2);
  assert.deepEqual(warnings, ['Parley: "Blog/7": the type must be Article']);
});

test("a hidden page has no stream, and resumes from the last event when it is shown", async () => {
  await followed("Article/1");
  newest().send(UPDATED, updated("1", 4), "c9");
  await setHidden(true);
  await pass(120_000);
  assert.equal(isOpen(), false);
  await setHidden(false);
  assert.deepEqual([requests.length, streams.length, newest().query.get("cursor")], [1, 2, "c9"]);
});

test("the browser reopens a stream that has ended", async () => {
  await followed("Article/1");
  newest().fail(0);
  await pass(20_000);
  assert.equal(streams.length, 1);
});

test("a stream that cannot connect is retried with back-off, from the last event", async () => {
  await followed("Article/1");
  newest().fail(0);
  for (let failures = 0; failures < 6; failures += 1) {
    newest().fail(0);
    const before = streams.length;
    await pass(250 * 2 ** failures - 100);
    assert.equal(streams.length, before, "retried too early");
    await pass(30_000);
    assert.ok(streams.length > before);
  }
  assert.equal(newest().query.get("cursor"), "begun");
});

test("after a refused stream and after a reset, the numbers are read again", async () => {
  const elements = await followed("Article/1");
  counts["Article/1"] = 7;
  newest().fail(2);
  await pass(1_200);
  assert.deepEqual(texts(elements), [7]);
  newest().answer();
  counts["Article/1"] = 8;
  newest().send("reset", { topics: ["Commentable/Article/1"], reason: "epoch" }, "c9");
  assert.equal(isOpen(), false);
  await pass(8_200);
  assert.deepEqual(texts(elements), [8]);
  assert.equal(newest().query.get("cursor"), "snapshot");
});

test("behind a proxy that buffers streams, the numbers are read again", async () => {
  const elements = page("Article/1");
  update(elements);
  await pass(200);
  counts["Article/1"] = 9;
  await pass(47_000);
  assert.deepEqual(texts(elements), [9]);
});

test("numbers beyond the stream's address are polled in batches", async () => {
  const names = Array.from(
    { length: 300 },
    (_, n) => `Article/an-ordinary-slug-of-an-article-${n}`,
  );
  const elements = await followed(...names);
  assert.ok(newest().address.length < 6_000);
  for (const request of requests) assert.ok(request.length < 6_000);
  const last = names.at(-1);
  counts[last] = 1;
  const heartbeats = setIntervalOf(15_000, () => newest().send("heartbeat", {}, "c2"));
  await pass(31_000);
  heartbeats.stop();
  assert.equal(elements.at(-1).textContent, 1);
  assert.equal(streams.length, 1);
  const read = requests.flatMap((request) => new URL(request).searchParams.getAll("topic"));
  assert.deepEqual(new Set(read), new Set(names));
});

test("a page that is not listed shows why in the console, and stops", async () => {
  isListed = false;
  update(page("Article/1"));
  await pass(120_000);
  assert.deepEqual(warnings, ['Parley: "Article/1": Add the origin.']);
  assert.deepEqual([requests.length, streams.length], [2, 0]);
});

test("an unreachable server is retried until it responds", async () => {
  mock.method(Math, "random", () => 0); // the shortest delays of the back-off
  isReachable = false;
  const elements = page("Article/1");
  update(elements);
  await pass(60_000);
  assert.equal(requests.length, 16, "eight attempts, each with a check");
  isReachable = true;
  await pass(31_000);
  assert.deepEqual(texts(elements), [3]);
  assert.deepEqual(warnings, []);
});

// By the mocked clock.
function setIntervalOf(ms, act) {
  let timer = 0;
  const tick = () => {
    act();
    timer = setTimeout(tick, ms);
  };
  timer = setTimeout(tick, ms);
  return { stop: () => clearTimeout(timer) };
}
