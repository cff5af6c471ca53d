// Rounds: one stream serves many tabs, and its address is short enough for every proxy.

import assert from "node:assert/strict";
import { test } from "node:test";
import { planRound } from "../../app/static/js/stream/round_plan.js";
import { lineLength, streamAddress } from "../../app/static/js/stream/stream_address.js";

const USER = "0b7f5e0e-6f0c-4c4a-9d51-2f6d8f6f1c11";
const MAX_LINE_LENGTH = 6_000;

const slug = (number) => `an-ordinary-slug-of-an-article-${String(number % 85).padStart(2, "0")}`;

// A tab that shows one thread, and the numbers of comments of `counts` others.
function tab(name, { visible = false, topic = `Article/${name}`, counts = 0, prefix = "" } = {}) {
  const numbers = Array.from({ length: counts }, (_, number) => number);
  const cursor = ["3kf0aQ1x", ...numbers.map((number) => `bWxP2c0Qk1A.${number}`)].join("~");
  return {
    tab: name,
    isVisible: visible,
    topics: [topic],
    cursors: [`3kf0aQ1x~${name}`],
    counts: {
      topics: numbers.map(
        (number) => `Commentable/Article/${prefix}${slug(number)}-${Math.floor(number / 85)}`,
      ),
      cursors: counts > 0 ? [cursor] : [],
    },
  };
}

function planned(members, options = {}) {
  const { members: ours, topics, cursors } = planRound(members, { user: USER, ...options });
  const asked = { topics, cursors, user: USER, presence: true, once: true };
  const length = lineLength(streamAddress(asked));
  return { tabs: ours.map((member) => member.tab), topics, cursors, length };
}

test("a guest without a stream follows few topics: threads first, then numbers of comments", () => {
  const tabs = [tab("1", { counts: 9 }), tab("2"), tab("3", { visible: true })];
  const { topics } = planned(tabs, { user: null, maxTopics: 4 });
  assert.deepEqual(topics.slice(0, 3), ["Article/3", "Article/2", "Article/1"]);
  assert.equal(topics.length, 4);
  assert.equal(planned(tabs, { user: null, maxTopics: 2 }).tabs.length, 2);
});

test("the tab that was opened last comes first", () => {
  const { tabs, topics } = planned([tab("1"), tab("2", { counts: 2 })]);
  assert.deepEqual(tabs, ["2", "1"]);
  assert.equal(topics.length, 4);
});

test("no thread is left out for a number of comments", () => {
  const list = tab("list", { counts: 85 });
  const another = tab("another", { counts: 85, prefix: "x" });
  const { tabs, topics, length } = planned([tab("1"), list, another]);
  assert.deepEqual(tabs.sort(), ["1", "another", "list"]);
  assert.deepEqual(topics.slice(0, 3), ["Article/another", "Article/list", "Article/1"]);
  assert.ok(topics.length > 50 && topics.length < 98, topics.length);
  assert.ok(length <= MAX_LINE_LENGTH, length);
});

test("of topics with long names the visible tab's is followed, and then the last tab's", () => {
  const members = Array.from({ length: 9 }, (_, number) =>
    tab(`${number}`, { topic: `Article/${"🦜".repeat(199)}${number}`, visible: number === 0 }),
  );
  const { tabs, length } = planned(members);
  assert.deepEqual(tabs, ["0", "8"]);
  assert.ok(length <= MAX_LINE_LENGTH, length);
});

test("two hundred tabs follow no more topics than the server takes", () => {
  const members = Array.from({ length: 200 }, (_, number) => tab(`${number}`, { counts: 3 }));
  const { topics, length } = planned(members);
  assert.ok(topics.length <= 98, topics.length);
  assert.ok(length <= MAX_LINE_LENGTH, length);
});

test("a person with many tabs follows as many as the server takes topics and cursors", () => {
  const members = (topics, cursors) =>
    Array.from({ length: 60 }, (_, number) => ({
      tab: `${number}`,
      topics: topics.map((topic) => `${topic} ${number}`),
      cursors: cursors.map((cursor) => `${cursor} ${number}`),
    }));
  const many = planned(members(["Article", "Commentable"], ["one"]));
  assert.deepEqual([many.tabs.length, many.topics.length, many.cursors.length], [49, 98, 49]);
  const others = planned(members(["Article"], ["thread", "account", "commentable"]));
  assert.deepEqual([others.tabs.length, others.topics.length, others.cursors.length], [33, 33, 99]);
});

test("the first tab is in the round even if its address is too long", () => {
  const { topics } = planned([tab("1", { counts: 85 })], { maxLength: 300 });
  assert.deepEqual(topics, ["Article/1"]);
});

test("a refused topic is left out, and its tab stays in the round", () => {
  const { tabs, topics } = planned([tab("1"), tab("2")], { refused: new Set(["Article/2"]) });
  assert.deepEqual(tabs, ["2", "1"]);
  assert.deepEqual(topics, ["Article/1"]);
});
