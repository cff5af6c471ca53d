// The numbers of comments in a page that is not ours: `[data-parley-count="Article/1"]`. One iframe follows them all, out of
// sight; counts_view.js is our other end in there. It is one more tab to the threads' stream.

const MOST = 90; // in a page: a stream takes a hundred topics, and the threads' are among them
const UNSEEN = { position: "absolute", width: "0", height: "0", border: "0", visibility: "hidden" };

export class EmbeddedCounts {
  #home;
  #iframe = null;
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

  /** Whether this message was from our iframe. `then`: what is to be done when there is something new. */
  hears({ source, data }, then) {
    if (source !== this.#iframe?.contentWindow) return false;
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
    const query = new URLSearchParams(names.map((name) => ["topic", name])).toString();
    if (query === this.#names) return;
    this.#names = query;
    this.#iframe?.remove();
    if (query === "") return;
    this.#iframe = document.createElement("iframe");
    Object.assign(this.#iframe, {
      src: new URL(`embed/counts?${query}`, this.#home).href,
      tabIndex: -1,
    });
    this.#iframe.setAttribute("aria-hidden", "true");
    for (const [name, value] of Object.entries(UNSEEN)) {
      this.#iframe.style.setProperty(name, value, "important");
    }
    document.body.append(this.#iframe);
  }
}
