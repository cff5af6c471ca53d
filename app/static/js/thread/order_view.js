import { LocalStorage } from "../core/local_storage.js";
import { SectionView } from "./section_view.js";

const KEY = "parley.order";
const NEWEST = "newest";
const WORDS = { oldest: "Oldest first", newest: "Newest first" };

// The parts around the list, from the top down. If the newest comments come first, the composer does, too.
const PARTS = {
  oldest: ["earlier", "beginning", "problem", "log", "empty", "rest", "kept"],
  newest: ["kept", "empty", "rest", "problem", "log", "earlier", "beginning"],
};

/** @typedef {{ tree: import("./tree.js").Tree }} Fields */

/**
 * Lets the reader choose whether the oldest or the newest comments come first. The browser stores the choice. `el` is
 * the thread's section.
 */
export const OrderView = /** @type {SectionWith<Fields>} */ (SectionView).extend({
  events: { "click .thread__order": "toggle" },

  storage: new LocalStorage(),
  order: "oldest",

  initialize({ tree }) {
    this.tree = tree;
    this.order = this.storage.get(KEY) === NEWEST ? NEWEST : "oldest";
    if (this.order === NEWEST) this.arrange();
    this.render();
  },

  toggle() {
    this.order = this.order === NEWEST ? "oldest" : NEWEST;
    this.storage.put(KEY, this.order);
    this.arrange();
    this.render();
  },

  render() {
    this.el.dataset.order = this.order;
    this.part("order-words").textContent = WORDS[this.order];
  },

  arrange() {
    const parts = PARTS[this.order].map((name) => this.part(name));
    const composer = this.el.querySelector(".composer");
    const all = this.order === NEWEST ? [composer, ...parts] : [...parts, composer];
    const end = this.part("volatile");
    for (const part of all) this.el.insertBefore(part, end);
    this.tree.setNewestFirst(this.order === NEWEST);
  },
});
