// Parley in a page that is not ours:
//
//   <script type="module" src="https://talk.example.com/embed.js"></script>
//   <div data-parley="Article/1"></div>
//
// Each such element gets an iframe with that thread, and `<span data-parley-count="Article/1">` the number of its comments
// (docs/embedding.md). This file is served beside /static, not in it, and
// kept by browsers for some minutes: so it only says what is where, and when to look.

import { EmbeddedCounts } from "./embed_counts.js";
import { EmbeddedThread } from "./embed_thread.js";

const HOME = new URL(".", import.meta.url); // where Parley is
const THREADS = "[data-parley]";
const COUNTS = "[data-parley-count]";
// What a page changes to have another thread, or to look otherwise.
const TELLING = [
  ...["data-parley", "data-parley-count", "data-parley-url", "data-parley-title"],
  ...["data-theme", "class", "style", "hidden"],
];

const threads = new WeakMap(); // by their elements
const counts = new EmbeddedCounts(HOME);
let frame = 0;

const elements = () => Array.from(document.querySelectorAll(THREADS));
const shown = () => elements().filter((el) => threads.has(el));

// Whatever comment an address names, it is in there.
const isAlone = () => elements().length === 1;

// A page may bring them, and take them away, at any time.
function look() {
  for (const el of elements()) {
    if (!threads.has(el)) threads.set(el, new EmbeddedThread(el, HOME, isAlone));
    threads.get(el).look();
  }
  counts.look(Array.from(document.querySelectorAll(COUNTS)));
}

// Once before the next paint, whatever moves until then.
function lookSoon() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(look);
}

look();
const changes = { subtree: true, childList: true, attributeFilter: TELLING };
new MutationObserver(lookSoon).observe(document.documentElement, changes);
window.addEventListener("message", (event) => {
  if (event.origin !== HOME.origin || counts.hears(event, lookSoon)) return;
  shown().some((el) => threads.get(el).hears(event));
});
window.addEventListener("hashchange", () => {
  for (const el of shown()) threads.get(el).tellPlace();
});
window.addEventListener("resize", lookSoon);
document.addEventListener("scroll", lookSoon, { capture: true, passive: true });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", lookSoon);
