// The page whose iframe this thread is in. There embed_thread.js is our other end. What passes between the two, beside what
// host_line.js says:
//
//   page     from there    {url, page, theme, scheme, seen} whenever one of them changes. `url` is the address in the reader's
//                          browser; `page` is what the page says of itself, for everybody (host_page.js)
//            or            {hash, alone}: the comment to go to, and whether the page has no other thread
//   height   to the host   {height} of all there is to see
//   show     to the host   {top} of what the reader is to see
//   scroll   to the host   {by}: what the reader was busy with has moved by that

import { setHost } from "../ui/viewport.js";
import { HostLine } from "./host_line.js";
import { hostPage } from "./host_page.js";
import { darken, wear } from "./theme.js";

const COMMENT = /^#comment-[0-9a-f-]+$/;

const topOf = (element) => element.getBoundingClientRect().top;
const isPlace = (...numbers) => numbers.every(Number.isFinite);

/** `el`: the thread. `comments`: its collection, which sends the page with each new comment. */
export class Host {
  /** What the reader sees of this iframe: {top, bottom}. */
  viewport = { top: 0, bottom: window.innerHeight };
  #el;
  #comments;
  #line;
  #url = null;
  /** @type {any} What the host has sent. */
  #known = {};

  constructor(el, comments) {
    this.#el = el;
    this.#comments = comments;
    this.#line = new HostLine((page) => this.#heard(page));
  }

  /** Nothing happens where nobody frames us. */
  enter() {
    if (window.parent === window) return;
    setHost(this);
    new ResizeObserver(() => this.#measure()).observe(document.documentElement);
    const links = { subtree: true, childList: true, attributeFilter: ["href"] };
    new MutationObserver(() => this.#lead()).observe(this.#el, links);
    document.addEventListener("click", (event) => this.#followInPage(event), { capture: true });
    this.#line.open();
  }

  // Measured from the document's top: while the iframe is not yet as high as that, it scrolls itself.
  show(element) {
    this.#line.tell("show", { top: topOf(element) - topOf(document.documentElement) });
  }

  /** Answers with `by`: see viewport.js. */
  scrollBy(by) {
    this.#line.tell("scroll", { by });
    return by;
  }

  #heard({ hash, alone, ...page }) {
    const changed = _.omit(page, (value, name) => _.isEqual(value, this.#known[name]));
    Object.assign(this.#known, changed);
    const { theme, scheme, seen, url } = changed;
    if (theme) wear(theme);
    if (scheme !== undefined) darken(scheme);
    if (seen) this.#see(seen);
    if (url) this.#stand(url.split("#")[0]);
    if (url || changed.page) this.#comments.page = this.#pageFrom(this.#known);
    this.#measure();
    if (COMMENT.test(hash)) this.#goTo(hash, alone);
  }

  #pageFrom({ url, page }) {
    return page && this.#isOfHost(url) ? hostPage(url, page) : null;
  }

  // Where it is not shown at all it has no height, and is not to lose the one that it had.
  #measure() {
    const { height } = document.documentElement.getBoundingClientRect();
    if (height > 0) this.#line.tell("height", { height: Math.ceil(height) });
  }

  // To whoever asks what is seen, the page has been scrolled.
  #see({ top, bottom }) {
    if (!isPlace(top, bottom)) return;
    this.viewport = { top, bottom };
    const { style } = document.documentElement;
    style.setProperty("--viewport-top", `${top}px`);
    style.setProperty("--viewport-height", `${bottom - top}px`);
    window.dispatchEvent(new Event("scroll"));
  }

  // -- places: a comment's address is that of the host's page

  #stand(url) {
    if (!this.#isOfHost(url)) return;
    this.#url = url;
    document.documentElement.dataset.framed = "";
    this.#lead();
  }

  // The browser guarantees the host's origin. An address that the host sends must have that origin.
  #isOfHost(url) {
    return typeof url === "string" && url.startsWith(`${this.#line.origin}/`);
  }

  // A notification about the current page opens in it, not in another tab.
  #followInPage({ target }) {
    const link = target.closest?.("a.notification__link");
    const { page } = this.#comments;
    if (!link || !this.#url || link.href.split("#")[0] !== page?.url) return;
    link.target = "_top";
    link.href = this.#url + link.hash;
  }

  #lead() {
    if (this.#url === null) return;
    for (const link of this.#el.querySelectorAll('a[href^="#"]')) {
      link.target = "_top";
      link.href = this.#url + link.getAttribute("href");
    }
  }

  // Replaced, for the step back is the host's. What is not loaded may be another thread's, unless there is none.
  #goTo(hash, alone) {
    const comment = document.getElementById(hash.slice(1));
    if (comment || alone) location.replace(hash);
    if (comment) this.show(comment);
  }
}
