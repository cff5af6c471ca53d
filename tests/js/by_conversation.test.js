// The notifications of the bell by conversation, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byConversation } from "../../app/static/js/notifications/by_conversation.js";

const told = (id, topic) => ({ id, place: () => topic });

test("notifications stand together by conversation, the newest conversation first", () => {
  const newestFirst = [
    told(5, "Article/2"),
    told(4, "Article/1"),
    told(3, "Article/2"),
    told(2, "Page/1"),
  ];
  const found = [...byConversation(newestFirst)].map(([topic, list]) => [
    topic,
    list.map(({ id }) => id),
  ]);
  assert.deepEqual(found, [
    ["Article/2", [5, 3]],
    ["Article/1", [4]],
    ["Page/1", [2]],
  ]);
});

test("no notifications are no conversations", () => {
  assert.equal(byConversation([]).size, 0);
});
