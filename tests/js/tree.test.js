// The order in which a conversation is read: each comment, and after it the replies to it.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { keyOf, Tree } from "../../app/static/js/thread/tree.js";

// The members of an element that a list of comments uses.
class FakeList {
  children = [];

  insertBefore(element, next) {
    this.children = this.children.filter((child) => child !== element);
    const at = next ? this.children.indexOf(next) : this.children.length;
    this.children.splice(at, 0, element);
    element.parentNode = this;
    element.moves += 1;
  }
}

class FakeElement {
  parentNode = null;
  moves = 0;

  get nextElementSibling() {
    const { children } = this.parentNode;
    return children[children.indexOf(this) + 1] ?? null;
  }
}

let list;
let tree;

const row = (name) => ({ name, el: new FakeElement(), remove() {} });
const rows = new Map();
const place = (name, ...key) => {
  if (!rows.has(name)) rows.set(name, row(name));
  tree.place(rows.get(name), key);
};
const shown = () =>
  list.children.map((element) => [...rows.values()].find(({ el }) => el === element).name);

beforeEach(() => {
  rows.clear();
  list = new FakeList();
  tree = new Tree(list);
});

test("replies follow their comment, in whatever order they arrive", () => {
  place("reply to the first", 1, 3);
  place("second", 2);
  place("reply to the reply", 1, 3, 4);
  place("first", 1);
  place("another reply to the first", 1, 5);
  const expected = [
    "first",
    "reply to the first",
    "reply to the reply",
    "another reply to the first",
    "second",
  ];
  assert.deepEqual(shown(), expected);
});

test("the newest conversation comes first if the reader wants that, and replies stay in order", () => {
  place("first", 1);
  place("reply", 1, 3);
  place("second reply", 1, 4);
  place("second", 2);
  tree.setNewestFirst(true);
  assert.deepEqual(shown(), ["second", "first", "reply", "second reply"]);
  place("third", 5);
  assert.deepEqual(shown(), ["third", "second", "first", "reply", "second reply"]);
  tree.setNewestFirst(false);
  assert.deepEqual(shown(), ["first", "reply", "second reply", "second", "third"]);
});

test("an unsent comment is last until the server has it, and then only its element moves", () => {
  place("first", 1);
  place("unsent", Number.POSITIVE_INFINITY);
  place("third", 3);
  assert.deepEqual(shown(), ["first", "third", "unsent"]);
  const moves = rows.get("third").el.moves;
  place("unsent", 2);
  assert.deepEqual(shown(), ["first", "unsent", "third"]);
  assert.equal(rows.get("third").el.moves, moves);
});

test("rows in their place are not moved when the list is arranged", () => {
  place("first", 1);
  place("second", 2);
  const moves = () => [...rows.values()].map(({ el }) => el.moves);
  const before = moves();
  tree.arrange();
  assert.deepEqual(moves(), before);
});

test("a removed row leaves the others in order", () => {
  for (const seq of [1, 2, 3]) place(`${seq}`, seq);
  tree.remove(rows.get("2"));
  place("4", 2, 4);
  assert.deepEqual(
    shown().filter((name) => name !== "2"),
    ["1", "4", "3"],
  );
});

test("a key names the known comments above, and an unsent comment comes last", () => {
  const seqs = { a: 1, b: 5 };
  const seqOf = (id) => seqs[id];
  assert.deepEqual(keyOf(["a", "b"], 7, seqOf), [1, 5, 7]);
  assert.deepEqual(keyOf(["a", "unknown"], 7, seqOf), [1, 7]);
  assert.deepEqual(keyOf([], undefined, seqOf), [Number.POSITIVE_INFINITY]);
});
