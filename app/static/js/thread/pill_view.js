import { bringIntoView, sight } from "../ui/viewport.js";

const PEEK_PX = 48; // as much of a comment must be in sight, or it is not yet reached

/** @typedef {{ waiting: Map<HTMLElement, boolean>, frame: number, last: HTMLElement | undefined }} Fields */

/**
 * "3 new comments": those by others that the reader has not reached yet, mostly further down; what answers something
 * that has been read long ago comes further up. A press leads there.
 */
export const PillView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { click: "go" },

  initialize() {
    this.waiting = new Map(); // element → whether it came above what is in sight
    this.frame = 0;
    const look = () => this.lookSoon();
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    document.addEventListener("visibilitychange", look);
  },

  /** This comment's element has just come into the list. */
  await(element) {
    this.waiting.set(element, element.getBoundingClientRect().bottom <= sight().top + PEEK_PX);
  },

  /** Once in a frame, after what moves in it. */
  lookSoon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.look());
  },

  /** Which have been reached by now, by scrolling, or because others above them went? */
  look() {
    if (this.waiting.size === 0 || document.hidden) return;
    for (const [element, isAbove] of this.waiting) {
      if (!element.isConnected) this.waiting.delete(element);
      else if (isReached(element, isAbove)) this.reach(element);
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
    this.el.classList.toggle("is-upward", Array.from(this.waiting.values())[0] === true);
  },

  // Keys go on from where the reader is, not from the top of the page.
  giveFocusBack() {
    if (document.activeElement === this.el) this.last?.focus({ preventScroll: true });
  },

  go() {
    const [first] = Array.from(this.waiting.keys()).sort(asOnThePage);
    if (first) bringIntoView(first);
  },
});

function isReached(element, isAbove) {
  const { top, bottom } = element.getBoundingClientRect();
  const seen = sight();
  return isAbove ? bottom > seen.top + PEEK_PX : top < seen.bottom - PEEK_PX;
}

const asOnThePage = (one, other) =>
  one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
