// Parley in a page of another site:
//
//   <script async src="https://talk.example.com/embed.js"></script>
//   <div data-parley="Article/1"></div>
//
// Each such element gets an iframe with that thread once it comes near the screen, and
// `<span data-parley-count="Article/1">` gets the number of its comments (docs/embedding.md). The build bundles this
// file and its imports into one classic script. It must stay below 3 KB, compressed. So the parts are closures: their
// names are minified better than the members of classes.

import { embedCounts } from "./embed_counts.js";
import { embedThread } from "./embed_thread.js";

// The attributes that select a thread or change its appearance.
const ATTRIBUTES = [
  ...["data-parley", "data-parley-count", "data-parley-url", "data-parley-title"],
  ...["data-theme", "class", "style", "hidden"],
];

const all = (selector) => [...document.querySelectorAll(selector)];

function start(home) {
  const threads = new WeakMap(); // by their elements
  const updateCounts = embedCounts(home);
  // If the page has one thread only, a link to a comment that is not loaded must be for that thread.
  const isAlone = () => shown.length === 1;
  let shown = []; // threads
  let frame = 0;

  // The page may add and remove elements at any time.
  function update() {
    shown = all("[data-parley]").map((el) => {
      if (!threads.has(el)) threads.set(el, embedThread(el, home, isAlone));
      return threads.get(el);
    });
    for (const thread of shown) thread.update();
    updateCounts(all("[data-parley-count]"));
  }

  // Once before the next paint.
  function updateSoon() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(update);
  }

  update();
  const changes = { subtree: true, childList: true, attributeFilter: ATTRIBUTES };
  new MutationObserver(updateSoon).observe(document, changes);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", updateSoon);
  const listeners = {
    scroll: updateSoon,
    resize: updateSoon,
    focus: updateSoon,
    blur: updateSoon,
    hashchange: () => shown.map((thread) => thread.followHash()),
    message: (event) => shown.map((thread) => thread.receive(event)),
  };
  for (const name of Object.keys(listeners)) addEventListener(name, listeners[name], true);
}

// `currentScript` is null for <script type="module">, which earlier releases required.
const script = document.currentScript ?? all('[type=module][src*="/embed.js"]')[0];

// The page may contain the script several times.
window.parleyEmbed ??= [start(new URL(".", script.src))];
