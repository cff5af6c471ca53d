import { bringIntoView, sight } from "./sight.js";

const PEEK_PX = 48; // as much of a comment must be in sight, or it is not yet reached

/** "3 new comments": those by others, further down, that the reader has not reached yet. A press leads there. */
export const PillView = Backbone.View.extend({
  events: { click: "go" },

  initialize() {
    this.waiting = new Set();
    this.frame = 0;
    const look = () => this.lookSoon();
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    document.addEventListener("visibilitychange", look);
  },

  /** This comment's element has just come into the list. */
  await(element) {
    this.waiting.add(element);
  },

  /** Once in a frame, after what moves in it. */
  lookSoon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.look());
  },

  /** Which have been reached by now, by scrolling, or because others above them went? */
  look() {
    if (this.waiting.size === 0 || document.hidden) return;
    for (const element of this.waiting) {
      if (!element.isConnected) this.waiting.delete(element);
      else if (isReached(element)) this.reach(element);
    }
    this.render();
  },

  reach(element) {
    this.waiting.delete(element);
    element.classList.add("is-new");
    this.last = element;
  },

  render() {
    const count = this.waiting.size;
    if (count === 0) this.giveFocusBack();
    this.el.hidden = count === 0;
    const words = count === 1 ? "1 new comment" : `${count} new comments`;
    if (count > 0) this.el.querySelector(".pill__words").textContent = words;
  },

  // Keys go on from where the reader is, not from the top of the page.
  giveFocusBack() {
    if (document.activeElement === this.el) this.last?.focus({ preventScroll: true });
  },

  go() {
    const [first] = Array.from(this.waiting).sort(asOnThePage);
    if (first) bringIntoView(first);
  },
});

const isReached = (element) => element.getBoundingClientRect().top < sight().bottom - PEEK_PX;

const asOnThePage = (one, other) =>
  one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
