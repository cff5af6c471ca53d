// The number of likes that a person sees: the collections and the outbox of a page, without a server and without storage.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate as nextTask } from "node:timers/promises";
import { COMMENT, LIKE } from "../../app/static/js/core/events.js";
import { namedUuid } from "../../app/static/js/core/uuid.js";
import { Outbox } from "../../app/static/js/outbox/outbox.js";
import { Comments } from "../../app/static/js/thread/comments.js";
import { Likes } from "../../app/static/js/thread/likes.js";

const ALICE = "0b7f5e0e-6f0c-4c4a-9d51-2f6d8f6f1c11";
const COMMENT_ID = "5f0c2f0e-0000-4c4a-9d51-2f6d8f6f1c22";
const LIKE_ID = namedUuid(COMMENT_ID, ALICE);
const PLACE = { commentable_type: "Article", commentable_id: "1" };

let bus;
let outbox;
let comment;
let likes;
let server;

beforeEach(async () => {
  bus = { ...Backbone.Events };
  outbox = new Outbox({ bus, tabs: { id: "1", leads: true, post() {}, ...Backbone.Events } });
  const account = Object.assign(new Backbone.Model({ id: ALICE }), { isSignedIn: () => true });
  const comments = new Comments([], { bus, outbox, topic: "Article/1", place: PLACE });
  likes = new Likes([], { bus, outbox, topic: null, place: PLACE, account, comments });
  outbox.setUser(ALICE);
  likes.setUser(ALICE);
  server = { seq: 5, likeSeq: 0, count: 0, isLiked: false };
  const state = { id: COMMENT_ID, seq: 5, created_seq: 5, body: "Hello", likes_count: 0, ...PLACE };
  bus.trigger(COMMENT.created, state);
  comment = comments.get(COMMENT_ID);
  await outbox.ready;
});

const shown = () => [likes.count(comment), likes.isWanted(comment)];

/** The successive numbers that the person sees during `act`. The browser paints between tasks only. */
async function numbersDuring(act) {
  const numbers = [likes.count(comment)];
  const record = () =>
    numbers.at(-1) !== likes.count(comment) && numbers.push(likes.count(comment));
  const recordLater = () => queueMicrotask(record);
  likes.on(`liked:${COMMENT_ID}`, recordLater);
  comment.on("change:likes_count", recordLater);
  await act();
  likes.off(`liked:${COMMENT_ID}`, recordLater);
  comment.off("change:likes_count", recordLater);
  return numbers;
}

// -- the server

/** The server handles the next request. Returns the three messages that follow; the test delivers them in any order. */
async function serve() {
  const sent = await outbox.markSent(outbox.next());
  const isLiked = sent.act === "create";
  if (isLiked !== server.isLiked) {
    server.isLiked = isLiked;
    countLike(isLiked ? 1 : -1);
    server.likeSeq += 1;
  }
  const { seq, likeSeq, count } = server;
  const like = {
    id: LIKE_ID,
    seq: likeSeq,
    created_seq: likeSeq,
    comment_id: COMMENT_ID,
    ...PLACE,
  };
  const tombstone = { id: LIKE_ID, seq: likeSeq, created_seq: likeSeq, ...PLACE };
  return {
    response: () =>
      outbox.confirm(sent, isLiked ? like : { ...tombstone, deleted: true }, isLiked, seq),
    like: () => bus.trigger(isLiked ? LIKE.created : LIKE.destroyed, isLiked ? like : tombstone),
    comment: () =>
      bus.trigger(COMMENT.updated, {
        id: COMMENT_ID,
        seq,
        created_seq: 5,
        likes_count: count,
        ...PLACE,
      }),
  };
}

function countLike(by) {
  server.seq += 1;
  server.count += by;
}

async function deliver(messages, order) {
  for (const name of order) {
    await messages[name]();
    await nextTask();
  }
}

const ORDERS = [
  ["response", "like", "comment"],
  ["response", "comment", "like"],
  ["like", "response", "comment"],
  ["like", "comment", "response"],
  ["comment", "response", "like"],
  ["comment", "like", "response"],
];

for (const order of ORDERS) {
  test(`the number changes once for each click if the messages arrive in the order ${order.join(", ")}`, async () => {
    for (const expected of [
      [0, 1],
      [1, 0],
    ]) {
      const numbers = await numbersDuring(async () => {
        likes.toggle(comment);
        await deliver(await serve(), order);
      });
      assert.deepEqual(numbers, expected);
      assert.deepEqual(outbox.records, []);
      assert.equal(likes.counts.size, 0, "the number includes what the server has");
    }
  });
}

for (const order of ORDERS) {
  test(`the number changes once for each of two quick clicks if the messages arrive in the order ${order.join(", ")}`, async () => {
    const numbers = await numbersDuring(async () => {
      likes.toggle(comment);
      const first = await serve();
      likes.toggle(comment);
      await nextTask();
      await deliver(first, order);
      await deliver(await serve(), order);
    });
    assert.deepEqual(numbers, [0, 1, 0]);
    assert.equal(likes.counts.size, 0, "the number includes what the server has");
  });
}

for (const order of ORDERS) {
  test(`a like by somebody else before the response is counted, too: ${order.join(", ")}`, async () => {
    likes.toggle(comment);
    countLike(1); // by somebody else; no message about it has arrived
    await deliver(await serve(), order);
    assert.deepEqual(shown(), [2, true]);
    assert.equal(likes.counts.size, 0);
  });
}

test("a like that the person takes back at once sends no request", async () => {
  const numbers = await numbersDuring(async () => {
    likes.toggle(comment);
    await nextTask();
    likes.toggle(comment);
    await nextTask();
  });
  assert.deepEqual(numbers, [0, 1, 0]);
  assert.equal(outbox.next(), null);
});

test("a like in another tab of the same person is shown", () => {
  bus.trigger(LIKE.created, {
    id: LIKE_ID,
    seq: 1,
    created_seq: 1,
    comment_id: COMMENT_ID,
    ...PLACE,
  });
  assert.equal(likes.isWanted(comment), true);
});

test("nobody's likes are shown to the next person", async () => {
  likes.toggle(comment);
  await deliver(await serve(), ["comment", "like", "response"]);
  likes.setUser("somebody else");
  assert.deepEqual(shown(), [1, false]);
});
