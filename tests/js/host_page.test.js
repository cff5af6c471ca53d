import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPage } from "../../app/static/js/embed/host_page.js";

const URL_ = "https://www.example.com/post?id=1&utm_source=mail&fbclid=x#comment-1";
const TOLD = { base: "https://www.example.com/post", title: " A post " };
const urlFor = (told) => hostPage(URL_, { ...TOLD, ...told }).url;

test("the address is the reader's, without fragment and tracking", () => {
  assert.deepEqual(hostPage(URL_, TOLD), {
    url: "https://www.example.com/post?id=1",
    title: "A post",
  });
});

test("the canonical link goes before it, and the element's own address before both", () => {
  const canonical = "https://www.example.com/canonical";
  assert.equal(urlFor({ canonical }), canonical);
  assert.equal(
    urlFor({ canonical, own: "own?utm_source=x#top" }),
    "https://www.example.com/own?utm_source=x",
  );
});

test("an address of another origin, or none at all, does not count", () => {
  for (const own of [
    "https://evil.example/",
    "http://www.example.com/",
    "javascript:1",
    "http://[",
  ])
    assert.equal(urlFor({ own }), "https://www.example.com/post?id=1");
});

test("an address that is too long is none", () => {
  assert.equal(hostPage(`https://www.example.com/${"x".repeat(2_000)}`, TOLD), null);
});

test("a title has two hundred characters at most, and is cut between them", () => {
  assert.equal(hostPage(URL_, { ...TOLD, title: "🦜".repeat(300) }).title, "🦜".repeat(200));
});
