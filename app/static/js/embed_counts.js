// The numbers of comments in a page of another site: `[data-parley-count="Article/1"]`. An invisible iframe follows them, or
// several iframes if the names are too long for one address. counts_view.js runs in the iframe. Each iframe shares the
// threads' stream, as a tab does.

import { addressParts } from "./address_parts.js";

const MOST = 90; // in a page: a stream takes a hundred topics, and the threads' are among them
const UNSEEN = { position: "absolute", width: "0", height: "0", border: "0", visibility: "hidden" };

export class EmbeddedCounts {
  #home;
  #iframes = [];
  #names = "";
  #counts = {};
  #warned = new Set(); // names that were refused

  /** `home`: where Parley is, a URL that ends with a slash. */
  constructor(home) {
    this.#home = home;
  }

  /** These elements are there now, and more or fewer than before. */
  look(elements) {
    const names = new Set(elements.map((element) => element.dataset.parleyCount));
    this.#follow([...names].sort().slice(0, MOST));
    for (const element of elements) {
      const count = this.#counts[element.dataset.parleyCount];
      if (count !== undefined && element.textContent !== `${count}`) element.textContent = count;
    }
  }

  /** Handle this message, if it is from one of our iframes; returns whether it is. Calls `then` after new numbers. */
  hears({ source, data }, then) {
    if (!this.#iframes.some((iframe) => source === iframe.contentWindow)) return false;
    if (data?.parley === "ready") source.postMessage({ parley: "page" }, this.#home.origin);
    if (data?.parley === "counts") {
      Object.assign(this.#counts, data.counts);
      this.#warn(data.refused);
      then();
    }
    return true;
  }

  #warn(refused) {
    for (const [name, why] of Object.entries(refused)) {
      if (this.#warned.has(name)) continue;
      this.#warned.add(name);
      // biome-ignore lint/suspicious/noConsole: for the person who made the page
      console.warn(`Parley: data-parley-count="${name}": ${why}`);
    }
  }

  #follow(names) {
    if (`${names}` === this.#names) return;
    this.#names = `${names}`;
    for (const iframe of this.#iframes) iframe.remove();
    const addressOf = (part) => this.#addressOf(part);
    this.#iframes = addressParts(names, addressOf).map((part) => unseen(addressOf(part)));
    document.body.append(...this.#iframes);
  }

  #addressOf(names) {
    const query = new URLSearchParams(names.map((name) => ["topic", name]));
    return new URL(`embed/counts?${query}`, this.#home).href;
  }
}

function unseen(src) {
  const iframe = document.createElement("iframe");
  Object.assign(iframe, { src, tabIndex: -1 });
  iframe.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries(UNSEEN)) {
    iframe.style.setProperty(name, value, "important");
  }
  return iframe;
}
