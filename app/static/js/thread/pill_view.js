import { ComponentView } from "../ui/component_view.js";
import { counted } from "../ui/counted.js";
import { bringIntoView, viewport } from "../ui/viewport.js";

const MIN_VISIBLE_PX = 48; // a comment counts as reached when this much of it is in the viewport

/** @typedef {{ unreached: Map<HTMLElement, boolean>, frame: number, last: HTMLElement | undefined }} Fields */

/**
 * The pill "3 new comments" counts other people's new comments that the reader has not scrolled to yet. Most are below
 * the viewport. A reply to an old comment may be above it. A click scrolls to the first one.
 */
export const PillView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "pill",
  events: { click: "scrollToFirst" },

  initialize() {
    this.unreached = new Map(); // element → whether it was inserted above the viewport
    this.frame = 0;
    const update = () => this.scheduleUpdate();
    window.addEventListener("scroll", update, { passive: true });
    window.addEventListener("resize", update);
    document.addEventListener("visibilitychange", update);
  },

  /** Count this comment's element, which has just been inserted, until the reader reaches it. */
  add(element) {
    const isAbove = element.getBoundingClientRect().bottom <= viewport().top + MIN_VISIBLE_PX;
    this.unreached.set(element, isAbove);
  },

  /** Update the count in the next frame, after everything that moves in it. */
  scheduleUpdate() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.update());
  },

  // The reader may have scrolled, or a deletion may have moved an element into the viewport.
  update() {
    if (this.unreached.size === 0 || document.hidden) return;
    for (const [element, isAbove] of this.unreached) {
      if (!element.isConnected) this.unreached.delete(element);
      else if (isReached(element, isAbove)) this.markReached(element);
    }
    this.render();
  },

  markReached(element) {
    this.unreached.delete(element);
    element.classList.add("is-new");
    this.last = element;
  },

  render() {
    const count = this.unreached.size;
    if (count === 0) this.releaseFocus();
    this.el.hidden = count === 0;
    const words = counted(count, "new comment");
    if (count > 0) this.part("words").textContent = words;
    this.el.classList.toggle("is-upward", Array.from(this.unreached.values())[0] === true);
  },

  // The pill is about to be hidden. The next Tab key then goes on from the last comment, not from the top of the page.
  releaseFocus() {
    if (document.activeElement === this.el) this.last?.focus({ preventScroll: true });
  },

  scrollToFirst() {
    const [first] = Array.from(this.unreached.keys()).sort(byDocumentPosition);
    if (first) bringIntoView(first);
  },
});

function isReached(element, isAbove) {
  const { top, bottom } = element.getBoundingClientRect();
  const visible = viewport();
  return isAbove ? bottom > visible.top + MIN_VISIBLE_PX : top < visible.bottom - MIN_VISIBLE_PX;
}

const byDocumentPosition = (one, other) =>
  one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
