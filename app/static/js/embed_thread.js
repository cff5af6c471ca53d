// One thread in a page that is not ours: an iframe, as high as what is in it. Styles and scripts of the page and of the thread
// do not meet. host.js is our other end in there, and says what passes between the two.

import { pageToTell } from "./embed_page.js";
import { SCHEMES, THEME } from "./theme_names.js";

const FIRST_HEIGHT = "20rem"; // until it says how high it is
const PATIENCE_MS = 15_000; // for a first word from the iframe
const GRACE_MS = 3_000; // once it is loaded; one that is refused is "loaded", too

const FRAMED = {
  display: "block",
  width: "100%",
  height: FIRST_HEIGHT,
  border: "0",
  background: "transparent",
};
// What leads to a place in the iframe; it stands there for a moment.
const MARK = { position: "absolute", left: "0", width: "1px", height: "1px" };

/**
 * `el`: where it is to stand. `home`: where Parley is, a URL that ends with a slash. `isAlone` (): whether there is no other
 * in the page.
 */
export class EmbeddedThread {
  #el;
  #home;
  #isAlone;
  #root;
  #topic = null;
  #iframe = null;
  #link = null;
  #doubt = 0;
  #isReady = false;
  #told = {}; // what the iframe knows of the page

  constructor(el, home, isAlone) {
    this.#el = el;
    this.#home = home;
    this.#isAlone = isAlone;
    this.#root = el.attachShadow({ mode: "open" });
  }

  /** The page has changed, or what is seen of it. */
  look() {
    this.#standOut();
    if (this.#el.dataset.parley !== this.#topic) this.#open(this.#el.dataset.parley);
    if (this.#isReady) this.#tellPage();
  }

  // Rules of the page that are meant for everything are not meant for this. `hidden` is.
  #standOut() {
    const { style, hidden } = this.#el;
    put(style, "display", hidden ? "none" : "block");
    put(style, "position", "relative");
  }

  #open(topic) {
    this.#topic = topic;
    this.#isReady = false;
    this.#link = null;
    this.#iframe = styled("iframe", FRAMED);
    this.#iframe.title = "Comments";
    this.#iframe.allow = "clipboard-write"; // for "Copy link"
    this.#iframe.src = this.#address("embed/");
    this.#iframe.addEventListener("load", () => this.#doubtIn(GRACE_MS));
    this.#root.replaceChildren(this.#iframe);
    this.#doubtIn(PATIENCE_MS);
  }

  #address(prefix) {
    const path = this.#topic.split("/").map(encodeURIComponent).join("/");
    return new URL(prefix + path, this.#home).href;
  }

  // -- what the iframe says

  /** Whether this message was from our iframe. */
  hears({ source, data }) {
    if (source !== this.#iframe?.contentWindow) return false;
    if (data?.parley === "ready") this.#ready();
    if (data?.parley === "height") this.#grow(Number(data.height));
    if (data?.parley === "show") this.#show(Number(data.top));
    if (data?.parley === "scroll") window.scrollBy({ top: Number(data.by), behavior: "instant" });
    return true;
  }

  #ready() {
    clearTimeout(this.#doubt);
    this.#isReady = true;
    this.#link?.remove();
    this.#iframe.style.display = "block";
    this.#told = {};
    this.#tellPage();
    this.tellPlace();
  }

  // More of it may be seen then.
  #grow(height) {
    this.#iframe.style.height = `${height}px`;
    this.#tellPage();
  }

  // By the browser, which knows what of the page covers its edges, and which parts of it scroll.
  #show(top) {
    const mark = styled("span", { ...MARK, top: `${top}px`, scrollMarginTop: "1rem" });
    this.#root.append(mark);
    mark.scrollIntoView({ block: "start" });
    mark.remove();
  }

  // -- what the iframe is told

  #tellPage() {
    const scheme = SCHEMES.includes(this.#el.dataset.theme) ? this.#el.dataset.theme : "";
    // For browsers in which an iframe prefers what stands here: the reader's preference, not the page's.
    this.#iframe.style.colorScheme = scheme || "light dark";
    this.#tell({
      theme: this.#theme(),
      scheme,
      seen: this.#seen(),
      url: urlOfPage(),
      page: pageToTell(this.#el),
    });
  }

  /** Where in the page one is to be. */
  tellPlace() {
    const { hash } = window.location;
    if (this.#isReady) this.#post({ hash, alone: this.#isAlone() });
  }

  // What it knows already is not said again.
  #tell(page) {
    const news = Object.entries(page).filter(([name, value]) => !same(value, this.#told[name]));
    if (news.length === 0) return;
    this.#told = page;
    this.#post(Object.fromEntries(news));
  }

  #post(page) {
    this.#iframe.contentWindow.postMessage({ parley: "page", ...page }, this.#home.origin);
  }

  #theme() {
    const style = getComputedStyle(this.#el);
    const values = Object.keys(THEME).map((name) => [
      name,
      style.getPropertyValue(`--parley-${name}`).trim(),
    ]);
    return Object.fromEntries(values.filter(([, value]) => value !== ""));
  }

  #seen() {
    const { top, height } = this.#iframe.getBoundingClientRect();
    const first = Math.min(Math.max(-top, 0), height);
    return { top: first, bottom: Math.max(first, Math.min(height, window.innerHeight - top)) };
  }

  // -- where it is refused

  #doubtIn(ms) {
    clearTimeout(this.#doubt);
    if (!this.#isReady) this.#doubt = setTimeout(() => this.#giveUp(), ms);
  }

  // The iframe stays, hidden. If it sends a message after all, it is shown.
  async #giveUp() {
    this.#iframe.style.display = "none";
    const topic = this.#topic;
    const { why, isNamed } = await this.#ask();
    if (topic !== this.#topic || this.#isReady) return;
    // biome-ignore lint/suspicious/noConsole: for the person who made the page
    console.warn(`Parley: ${why}`);
    if (isNamed) this.#offerLink();
  }

  // Returns {why, isNamed}: why the iframe sends nothing, and whether there is such a thread. A page cannot see the HTTP
  // status of an iframe of another origin, so this asks the server.
  async #ask() {
    try {
      const query = new URLSearchParams({ topic: this.#topic });
      const answer = await fetch(new URL(`embed/check?${query}`, this.#home), {
        credentials: "omit",
      });
      const { topic, listed } = await answer.json();
      if (topic) return { why: `data-parley="${this.#topic}": ${topic}`, isNamed: false };
      if (!listed) return { why: this.#originProblem(), isNamed: true };
      return {
        why: `${this.#iframe.src} stays silent, though this page may embed it.`,
        isNamed: true,
      };
    } catch {
      return {
        why: `${this.#home} does not answer, or this page's Content-Security-Policy (connect-src) forbids to ask it.`,
        isNamed: true,
      };
    }
  }

  #originProblem() {
    return `${this.#iframe.src} may not be in an iframe of ${window.location.origin}. Add that to ALLOWED_ORIGINS of ${this.#home.origin}.`;
  }

  #offerLink() {
    this.#link = Object.assign(document.createElement("a"), {
      href: this.#address(""),
      textContent: "View comments",
    });
    this.#root.append(this.#link);
  }
}

const urlOfPage = () => window.location.href.split("#")[0];
// Each time that a style is set, whoever watches is told.
function put(style, name, value) {
  if (style.getPropertyPriority(name) !== "important" || style.getPropertyValue(name) !== value) {
    style.setProperty(name, value, "important");
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function styled(name, style) {
  const element = document.createElement(name);
  Object.assign(element.style, style);
  return element;
}
