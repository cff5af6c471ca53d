import { ANNOUNCEMENT } from "./events.js";
import { steadily } from "./steady.js";

/** @typedef {{ bus: Backbone.Events, list: HTMLElement, collection: Parley.Comments }} Fields */

/** What leads from the loaded part of a thread to the rest of it. `el` is the thread's section. */
export const PagesView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    "click .thread__earlier": "loadEarlier",
    "click .thread__later": "loadLater",
    "click .thread__newest": "goToNewest",
  },

  initialize({ bus }) {
    this.bus = bus;
    this.list = this.el.querySelector(".thread__list");
    this.listenTo(this.collection, "window", this.render);
    this.listenTo(this.collection, "update newer", this.count);
    this.listenTo(this.collection, "add", this.follow);
    this.render();
  },

  part(name) {
    return this.el.querySelector(`.thread__${name}`);
  },

  render() {
    const { before, after } = this.collection;
    const earlier = this.part("earlier");
    const arrived = !earlier.hidden && before === null;
    earlier.disabled = this.part("later").disabled = this.part("newest").disabled = false;
    // In the button's place, as high as that was.
    const isToldOfBeginning = before === null && (arrived || !this.part("beginning").hidden);
    this.hide({
      earlier: before === null,
      beginning: !isToldOfBeginning,
      rest: after === null,
      problem: true,
    });
    this.count();
  },

  hide(parts) {
    const changes = Object.entries(parts).filter(
      ([name, hidden]) => this.part(name).hidden !== hidden,
    );
    if (changes.length === 0) return;
    steadily(this.list, () => {
      for (const [name, hidden] of changes) this.part(name).hidden = hidden;
    });
  },

  count() {
    const { before, after, newer } = this.collection;
    const total = this.collection.total();
    const more = total === null ? 0 : total - this.collection.count();
    this.part("earlier-count").textContent = after === null && more > 0 ? ` (${more} more)` : "";
    const later = before === null && more > 0 ? more : newer.size;
    this.part("later-count").textContent = later > 0 ? ` (${later} more)` : "";
  },

  loadEarlier({ delegateTarget: button }) {
    this.load(button, () => this.collection.loadEarlier(), "Earlier comments loaded.");
  },

  loadLater({ delegateTarget: button }) {
    this.load(button, () => this.collection.loadLater(), "Newer comments loaded.");
  },

  async goToNewest() {
    const button = this.part("newest");
    const hadFocus = button === document.activeElement;
    const read = () => this.collection.loadNewest();
    if (!(await this.load(button, read, "Latest comments loaded."))) return;
    const { pathname, search } = window.location;
    window.history.replaceState(null, "", pathname + search); // it named a comment that may be out of sight now
    this.land(hadFocus);
  },

  land(hadFocus) {
    const element = document.getElementById(`comment-${this.collection.last()?.id}`);
    if (hadFocus) element?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: "nearest", behavior: "instant" });
  },

  // What one writes is the newest of all. A reply stays with what it answers.
  follow(comment) {
    const isRoot = comment.isNew() && comment.get("parent_id") === null;
    if (isRoot && this.collection.after !== null && document.hasFocus()) this.goToNewest();
  },

  /** Whether it could be done. */
  async load(button, read, words) {
    button.disabled = true;
    try {
      await read();
      this.bus.trigger(ANNOUNCEMENT, words);
      return true;
    } catch (problem) {
      this.complain(problem.message);
      return false;
    } finally {
      button.disabled = false;
    }
  },

  complain(message) {
    this.part("problem").textContent = message;
    this.hide({ problem: false });
  },
});
