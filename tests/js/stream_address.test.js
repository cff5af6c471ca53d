import assert from "node:assert/strict";
import { test } from "node:test";
import { lineLength, streamAddress } from "../../app/static/js/stream/stream_address.js";

const asked = { topics: ["Article/1"], cursors: ["e~k.5"], user: null };

test("a guest's stream has an empty user, and tildes of cursors stay as they are", () => {
  assert.equal(streamAddress(asked), "/streams?topic=Article%2F1&cursor=e~k.5&user=");
});

test("presence and a single poll are parameters", () => {
  const address = streamAddress({ ...asked, user: "u", presence: true, once: true });
  assert.match(address, /&user=u&presence=1&once=1$/);
});

test("the length of the request line counts an apostrophe as the browser sends it", () => {
  const address = streamAddress({ ...asked, topics: ["Article/it's"] });
  assert.match(address, /it%27s/);
  assert.equal(lineLength(address), `GET ${address} HTTP/1.1`.length);
});
