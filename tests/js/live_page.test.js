// The collections of a page and its stream, while one account signs out and another one signs in.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate as nextTask } from "node:timers/promises";
import { LivePage } from "../../app/static/js/live/live_page.js";

const Account = Backbone.Model.extend({
  isSignedIn() {
    return this.has("id");
  },

  hasOtherRights() {
    return this.hasChanged("id");
  },
});

/** A collection that reads when the test says so. */
class Collection {
  users = [];
  replaced = [];
  answers = [];

  constructor(_models, options) {
    this.options = options;
  }

  setUser(user) {
    this.users.push(user);
  }

  replace(snapshot) {
    this.replaced.push(snapshot);
  }

  endUndo() {}

  refetch() {
    return new Promise((resolve) => this.answers.push(resolve));
  }
}

let app;
let opened; // the cursors of each stream
let live;

beforeEach(() => {
  opened = [];
  app = {
    account: new Account({ id: "alice" }),
    connector: {
      open: (_topics, cursors) => opened.push(cursors),
      close: () => opened.push("closed"),
    },
    outbox: { setUser() {}, hold() {}, discardAll() {} },
    page: { topics: ["Article/a/b", "User/alice"], cursors: ["page", null] },
  };
  live = new LivePage(app);
});

test("a collection has the page's topic, unless it names another one", () => {
  const comments = live.add(Collection, { comments: [] });
  const notifications = live.add(Collection, null, { place: {} });
  assert.equal(comments.options.topic, "Article/a/b");
  assert.deepEqual(comments.options.place, { commentable_type: "Article", commentable_id: "a/b" });
  assert.deepEqual(notifications.options.place, {});
  assert.deepEqual([comments.replaced.length, notifications.replaced.length], [1, 0]);
  assert.deepEqual(comments.users, ["alice"]);
});

test("after Bob signs in, the stream continues from his snapshots", async () => {
  const comments = live.add(Collection, { comments: [] });
  live.start();
  app.account.set({ id: "bob" });
  assert.deepEqual(comments.users, ["alice", "bob"]);
  assert.deepEqual(opened, [["page"], "closed"]);
  comments.answers[0]({ cursor: "bob's" });
  await nextTask();
  assert.deepEqual(opened.at(-1), ["bob's"]);
});

test("Bob's snapshot that arrives after Carol has signed in opens no stream", async () => {
  const comments = live.add(Collection, { comments: [] });
  live.start();
  app.account.set({ id: "bob" });
  app.account.set({ id: "carol" });
  comments.answers[1]({ cursor: "carol's" });
  await nextTask();
  comments.answers[0]({ cursor: "bob's" });
  await nextTask();
  assert.deepEqual(opened, [["page"], "closed", "closed", ["carol's"]]);
});
