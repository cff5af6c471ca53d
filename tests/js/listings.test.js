// The lists of the account page: conversations that the user follows or has muted, and muted people.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FollowedConversationsView,
  MutedConversationsView,
  MutedPeopleView,
} from "../../app/static/js/account/listings.js";

const at = (commentable_id, title = "") => ({ commentable_type: "Page", commentable_id, title });

function entriesOf(View, response) {
  return View.prototype.entriesIn.call(View.prototype, response);
}

test("a conversation has its title, and a link to the page where it is written", () => {
  const [entry] = entriesOf(FollowedConversationsView, {
    conversations: [at("a/b & c", "Rivers")],
  });
  assert.deepEqual(entry, {
    id: "/api/followed_conversations?commentable_type=Page&commentable_id=a%2Fb+%26+c",
    name: "Rivers",
    href: "/Page/a/b%20%26%20c?host=1",
  });
});

test("a conversation without a title has its type and id", () => {
  const [entry] = entriesOf(MutedConversationsView, { conversations: [at("7")] });
  assert.equal(entry.name, "Page 7");
  assert.equal(entry.id, "/api/muted_conversations?commentable_type=Page&commentable_id=7");
});

test("a muted person has a name and no page", () => {
  const [entry] = entriesOf(MutedPeopleView, { mutes: [{ id: "1", username: "Bob" }] });
  assert.deepEqual(entry, { id: "/api/users/1/mute", name: "Bob" });
});

// -- what is shown -------------------------------------------------------------------------------------------

/** A list without a page. `parts` has its elements, and `shown` the names that it shows. */
class FakeList {
  constructor() {
    const reads = [];
    const account = {
      isSignedIn: () => true,
      request: () => new Promise((done) => reads.push(done)),
    };
    const view = Object.create(FollowedConversationsView.prototype);
    const parts = { none: {}, all: {}, problem: {} };
    const list = {
      show: (models) => {
        this.shown = models.map((model) => model.get("name"));
        return models;
      },
    };
    const collection = new Backbone.Collection();
    Object.assign(view, { account, collection, list, part: (name) => parts[name] });
    view.attempt = (act) => act();
    Object.assign(this, { view, parts, reads });
    view.restart();
  }

  /** The response to a read, by the number of the read. */
  async answer(number, ...names) {
    this.reads[number]({ conversations: names.map((name) => at(name, name)) });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const numbered = (count) => Array.from({ length: count }, (_, index) => `${index}`);

test("a long list shows the newest ten, and the number of all", async () => {
  const list = new FakeList();
  await list.answer(0, ...numbered(11));
  assert.deepEqual(list.shown, numbered(10));
  assert.equal(list.parts.all.hidden, false);
  assert.equal(list.parts.all.textContent, "Show all 11");
  list.view.isWhole = true;
  list.view.render();
  assert.deepEqual(list.shown, numbered(11));
  assert.equal(list.parts.all.hidden, true);
});

test("a list of ten is shown whole", async () => {
  const list = new FakeList();
  await list.answer(0, ...numbered(10));
  assert.deepEqual(list.shown, numbered(10));
  assert.equal(list.parts.all.hidden, true);
});

test("a list says that it is empty once it has been read", async () => {
  const list = new FakeList();
  assert.equal(list.parts.none.hidden, true);
  await list.answer(0);
  assert.equal(list.parts.none.hidden, false);
});

test("an older list that arrives late is not shown", async () => {
  const list = new FakeList();
  list.view.refetch();
  await list.answer(1, "new");
  await list.answer(0, "old");
  assert.deepEqual(list.shown, ["new"]);
});

test("the list of the account before is not shown to the next one", async () => {
  const list = new FakeList();
  await list.answer(0, "hers");
  list.view.refetch();
  list.view.restart();
  assert.deepEqual(list.shown, []);
  await list.answer(1, "hers");
  assert.deepEqual(list.shown, []);
  await list.answer(2, "his");
  assert.deepEqual(list.shown, ["his"]);
});
