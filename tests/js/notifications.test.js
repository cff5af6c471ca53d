// The notifications of an account, without a server and without storage.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTask } from "node:timers/promises";
import { Notifications } from "../../app/static/js/notifications/notifications.js";
import { Outbox } from "../../app/static/js/outbox/outbox.js";

const EMPTY = { notifications: [], before: 9, after: null, cursor: "c", earlier_unread: 0 };

test("a count of earlier notifications waits for the read of an account switch", async (context) => {
  context.mock.method(_, "debounce", (work) => work);
  const bus = { ...Backbone.Events };
  const tabs = { id: "1", leads: true, post() {}, ...Backbone.Events };
  const notifications = new Notifications([], {
    bus,
    outbox: new Outbox({ bus, tabs }),
    topic: null,
  });
  const responses = [];
  notifications.read = () => new Promise((resolve) => responses.push(resolve));
  notifications.setUser("bob");
  const switched = notifications.refetch();
  notifications.recount();
  await nextTask();
  assert.equal(responses.length, 1);
  responses[0]({ ...EMPTY, cursor: "bob's" });
  assert.equal((await switched).cursor, "bob's");
  await nextTask();
  assert.equal(responses.length, 2);
});
