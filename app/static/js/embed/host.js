// The host: the page that contains the iframe with this thread. embed_thread.js runs in the host. These messages pass
// between the two, in addition to those of host_messages.js:
//
//   page    from the host  {url, page, theme, scheme, seen, focused}, after each change of one of them. `url`: the address in
//                          the reader's browser. `page`: the page's data about itself (host_page.js). `seen`: the
//                          visible part of the iframe. `focused`: whether the page has the focus
//           or             {hash, alone}: the comment to go to, and whether the page has no other thread
//   height  to the host    {height} of the content
//   show    to the host    {top} of the element to scroll to
//   scroll  to the host    {by}: scroll by so many pixels, to keep an element in place

import { setHost } from "../ui/viewport.js";
import { HostMessages } from "./host_messages.js";
import { hostPage } from "./host_page.js";
import { applyTheme, setScheme } from "./theme.js";

const COMMENT = /^#comment-[0-9a-f-]+$/;

const topOf = (element) => element.getBoundingClientRect().top;
const areNumbers = (...numbers) => numbers.every(Number.isFinite);

/** `el`: the thread. `comments`: its collection, which sends the host's page with each new comment. */
export class Host {
  /** The visible part of this iframe: {top, bottom}. */
  viewport = { top: 0, bottom: window.innerHeight };
  hasFocus = false;
  #el;
  #comments;
  #messages;
  #url = null;
  /** @type {any} The data that the host has sent. */
  #known = {};

  constructor(el, comments) {
    this.#el = el;
    this.#comments = comments;
    this.#messages = new HostMessages((page) => this.#onPage(page));
  }

  /** Start. Does nothing if this page is not in an iframe. */
  enter() {
    if (window.parent === window) return;
    setHost(this);
    new ResizeObserver(() => this.#sendHeight()).observe(document.documentElement);
    const links = { subtree: true, childList: true, attributeFilter: ["href"] };
    new MutationObserver(() => this.#updateLinks()).observe(this.#el, links);
    document.addEventListener("click", (event) => this.#openInHost(event), { capture: true });
    this.#messages.open();
  }

  // From the document's top, because the iframe itself scrolls while it is not as high as its content.
  show(element) {
    this.#messages.send("show", { top: topOf(element) - topOf(document.documentElement) });
  }

  /** Returns `by` (viewport.js). */
  scrollBy(by) {
    this.#messages.send("scroll", { by });
    return by;
  }

  #onPage({ hash, alone, ...page }) {
    const changed = _.omit(page, (value, name) => _.isEqual(value, this.#known[name]));
    Object.assign(this.#known, changed);
    const { theme, scheme, seen, url } = changed;
    this.hasFocus = this.#known.focused === true;
    if (theme) applyTheme(theme);
    if (scheme !== undefined) setScheme(scheme);
    if (seen) this.#setViewport(seen);
    if (url) this.#setUrl(url.split("#")[0]);
    if (url || changed.page) this.#comments.page = this.#pageFrom(this.#known);
    this.#sendHeight();
    if (COMMENT.test(hash)) this.#goTo(hash, alone);
  }

  #pageFrom({ url, page }) {
    return page && this.#isOfHost(url) ? hostPage(url, page) : null;
  }

  // An iframe that is not displayed has no height. The host keeps the last one.
  #sendHeight() {
    const { height } = document.documentElement.getBoundingClientRect();
    if (height > 0) this.#messages.send("height", { height: Math.ceil(height) });
  }

  // Other modules measure again after a "scroll" event.
  #setViewport({ top, bottom }) {
    if (!areNumbers(top, bottom)) return;
    this.viewport = { top, bottom };
    const { style } = document.documentElement;
    style.setProperty("--viewport-top", `${top}px`);
    style.setProperty("--viewport-height", `${bottom - top}px`);
    window.dispatchEvent(new Event("scroll"));
  }

  // -- links: a comment's address is on the host's page

  #setUrl(url) {
    if (!this.#isOfHost(url)) return;
    this.#url = url;
    document.documentElement.dataset.framed = "";
    this.#updateLinks();
  }

  // The browser guarantees the host's origin. An address that the host sends must have that origin.
  #isOfHost(url) {
    return typeof url === "string" && url.startsWith(`${this.#messages.origin}/`);
  }

  // A notification about the current page opens in it, not in another tab.
  #openInHost({ target }) {
    const link = target.closest?.("a.notification__link");
    const { page } = this.#comments;
    if (!link || !this.#url || link.href.split("#")[0] !== page?.url) return;
    link.target = "_top";
    link.href = this.#url + link.hash;
  }

  #updateLinks() {
    if (this.#url === null) return;
    for (const link of this.#el.querySelectorAll('a[href^="#"]')) {
      link.target = "_top";
      link.href = this.#url + link.getAttribute("href");
    }
  }

  // The address is replaced, because going back is up to the host. A comment that is not loaded may belong to another
  // thread, unless the page has only this one.
  #goTo(hash, alone) {
    const comment = document.getElementById(hash.slice(1));
    if (comment || alone) location.replace(hash);
    if (comment) this.show(comment);
  }
}
