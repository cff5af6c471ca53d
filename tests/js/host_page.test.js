import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPage } from "../../app/static/js/embed/host_page.js";

const URL_ = "https://www.example.com/post?id=1&utm_source=mail&fbclid=x#comment-1";
const PAGE = { base: "https://www.example.com/post", title: " A post " };
const urlFor = (page) => hostPage(URL_, { ...PAGE, ...page }).url;

test("the address is the reader's, without fragment and tracking", () => {
  assert.deepEqual(hostPage(URL_, PAGE), {
    url: "https://www.example.com/post?id=1",
    title: "A post",
  });
});

test("the canonical link takes precedence, and the element's own address over both", () => {
  const canonical = "https://www.example.com/canonical";
  assert.equal(urlFor({ canonical }), canonical);
  assert.equal(
    urlFor({ canonical, own: "own?utm_source=x#top" }),
    "https://www.example.com/own?utm_source=x",
  );
});

test("an address of another origin, or an invalid one, is ignored", () => {
  for (const own of [
    "https://evil.example/",
    "http://www.example.com/",
    "javascript:1",
    "http://[",
  ])
    assert.equal(urlFor({ own }), "https://www.example.com/post?id=1");
});

test("a page whose address is too long is ignored", () => {
  assert.equal(hostPage(`https://www.example.com/${"x".repeat(2_000)}`, PAGE), null);
});

test("a title is cut after two hundred characters, and not within one", () => {
  assert.equal(hostPage(URL_, { ...PAGE, title: "🦜".repeat(300) }).title, "🦜".repeat(200));
});
