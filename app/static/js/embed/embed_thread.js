// One thread in a page of another site: an iframe as high as its content. The styles and scripts of the page and of the
// thread are separate. host.js runs in the iframe and lists the messages between the two.
//
//   reserved ── near the screen, or a link to a comment ──> loading ── first message ──> ready
//
// In the state reserved, the element shows its own content in the page, for example a link to the thread. It has the
// height of the last visit, or an estimate, so that nothing below it moves when the iframe is loaded.

import { check, warn } from "./embed_check.js";

const ESTIMATE = "20rem"; // of the height, on the first visit
const MARGIN = "50%"; // of the window's height: a thread at this distance is near
const STORED = "parley-height:"; // the name of a height in sessionStorage, before the topic
const FIRST_MESSAGE_MS = 15_000;
const LOADED_MS = 3_000; // for the first message after `load`, which the browser also fires for a refused iframe
const COMMENT = /^#comment-/;
const SCHEME = /^(light|dark)$/;
// In a shadow tree, `!important` is stronger than in the page. So the page's rules for all elements do not apply to the
// thread's element, but `hidden` does. `i` marks a position in the iframe, so that the page can scroll to it.
const STYLE =
  ":host{display:block!important;position:relative!important}" +
  ":host([hidden]),[hidden]{display:none!important}" +
  "slot,iframe{display:block;width:100%;border:0}" +
  "i{position:absolute;scroll-margin:1rem}" +
  "@media print{slot{min-height:0!important}}";

/**
 * `el`: the element in the page. `home`: Parley's URL, which ends with a slash. `isAlone` (): whether the page has no
 * other thread. Returns {update, followHash, receive}.
 */
export function embedThread(el, home, isAlone) {
  const root = el.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet(); // unlike a <style>, it needs nothing in the page's Content-Security-Policy
  /** @type {string} */
  let topic;
  /** @type {any} An iframe; null until it is loaded. */
  let iframe = null;
  /** @type {IntersectionObserver} */
  let observer;
  let timer = 0;
  let isReady = false;
  let themeNames = []; // that the iframe accepts
  let sent = ""; // the last message to the iframe

  /** The page changed, or its visible part. */
  function update() {
    if (el.dataset.parley !== topic) open();
    if (isReady) sendPage();
  }

  // -- loading

  function open() {
    topic = el.dataset.parley ?? "";
    isReady = false;
    iframe = null;
    clearTimeout(timer);
    root.replaceChildren();
    add("slot").style.minHeight = likelyHeight();
    observer?.disconnect();
    if (COMMENT.test(location.hash)) return load();
    observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && load(),
      { rootMargin: MARGIN },
    );
    observer.observe(el);
  }

  // Store this height, if it is given. Returns the stored height. The page may have no storage.
  function likelyHeight(height) {
    try {
      if (height) sessionStorage[STORED + topic] = height;
      return sessionStorage[STORED + topic] ?? ESTIMATE;
    } catch {
      return ESTIMATE;
    }
  }

  function load() {
    if (iframe) return;
    root.replaceChildren();
    const allow = "clipboard-write"; // for "Copy link"
    iframe = add("iframe", { title: "Comments", allow, src: address("embed/") });
    iframe.style.height = likelyHeight();
    iframe.onload = () => expectMessage(LOADED_MS);
    expectMessage(FIRST_MESSAGE_MS);
  }

  function add(name, members) {
    const element = Object.assign(document.createElement(name), members);
    root.append(element);
    return element;
  }

  const address = (prefix) => home + prefix + topic.split("/").map(encodeURIComponent).join("/");

  // -- an iframe that is refused

  function expectMessage(ms) {
    clearTimeout(timer);
    if (!isReady) timer = setTimeout(giveUp, ms);
  }

  // The iframe stays, hidden. If it sends a message later, it is shown.
  async function giveUp() {
    const mine = iframe;
    mine.hidden = true;
    const problem = await check(home, topic);
    if (mine !== iframe || isReady) return;
    warn(topic, problem.message);
    if (problem.topic) return;
    add("a", { href: address(""), textContent: "View comments" });
  }

  // -- messages from the iframe

  const handlers = {
    ready({ theme = [] }) {
      clearTimeout(timer);
      isReady = true;
      themeNames = theme;
      iframe.nextSibling?.remove(); // the link
      iframe.hidden = false;
      sent = "";
      sendPage();
      followHash();
    },

    // The visible part of the iframe may change, too. Safari has no scroll anchoring, so the page must scroll.
    height({ height }) {
      const { bottom } = iframe.getBoundingClientRect();
      const css = `${Number(height)}px`;
      iframe.style.height = css;
      const by = iframe.getBoundingClientRect().bottom - bottom;
      if (bottom < 0 && !CSS.supports("overflow-anchor", "auto")) handlers.scroll({ by });
      likelyHeight(css);
      sendPage();
    },

    // The browser scrolls, because it knows the page's sticky headers and its scrollable elements.
    show({ top }) {
      const mark = add("i");
      mark.style.top = `${Number(top)}px`;
      mark.scrollIntoView();
      mark.remove();
    },

    scroll({ by }) {
      scrollBy({ top: Number(by), behavior: "instant" });
    },
  };

  /** Handle a message, if it is from this thread's iframe. */
  function receive({ source, origin, data }) {
    const isOurs = iframe && source === iframe.contentWindow && origin === home.origin;
    if (isOurs) handlers[data?.parley]?.(data);
  }

  // -- messages to the iframe

  function sendPage() {
    const { theme, parleyUrl, parleyTitle } = el.dataset;
    const scheme = SCHEME.test(theme) ? theme : "";
    // In some browsers, this sets the colour scheme of the iframe. Otherwise the page's scheme would apply, not the
    // reader's.
    iframe.style.colorScheme = scheme || "light dark";
    const page = {
      theme: themeOf(el, themeNames),
      scheme,
      seen: seen(),
      focused: document.hasFocus(),
      url: location.href,
      page: {
        base: document.baseURI,
        own: parleyUrl,
        canonical: document.querySelector("link[rel=canonical]")?.href,
        title: parleyTitle ?? document.title,
      },
    };
    if (JSON.stringify(page) !== sent) post(page);
    sent = JSON.stringify(page);
  }

  /** Go to the comment in the fragment of the page's address. */
  function followHash() {
    const { hash } = location;
    if (isReady) post({ hash, alone: isAlone() });
    else if (COMMENT.test(hash)) load();
  }

  function post(page) {
    iframe.contentWindow.postMessage({ parley: "page", ...page }, home.origin);
  }

  function seen() {
    const { top, height } = iframe.getBoundingClientRect();
    const inside = (y) => Math.min(Math.max(y - top, 0), height);
    return { top: inside(0), bottom: inside(innerHeight) };
  }

  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  return { update, followHash, receive };
}

function themeOf(el, names) {
  const style = getComputedStyle(el);
  const values = names.map((name) => [name, style.getPropertyValue(`--parley-${name}`).trim()]);
  return Object.fromEntries(values.filter(([, value]) => value));
}
