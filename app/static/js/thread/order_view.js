import { LocalStorage } from "../core/local_storage.js";

const KEY = "parley.order";
const NEWEST = "newest";
const WORDS = { oldest: "Oldest first", newest: "Newest first" };

// What stands around the list, from the top down. Where the newest come first, so does what one writes.
const PARTS = {
  oldest: ["earlier", "beginning", "problem", "log", "empty", "rest", "kept"],
  newest: ["kept", "empty", "rest", "problem", "log", "earlier", "beginning"],
};

/** @typedef {{ tree: import("./tree.js").Tree, shelf: import("../core/local_storage.js").LocalStorage, order: string }} Fields */

/** Which comments come first, for this browser: the oldest or the newest. `el` is the thread's section. */
export const OrderView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { "click .thread__order": "turn" },

  /** Options: `tree`, the list's. */
  initialize({ tree }) {
    this.tree = tree;
    this.shelf = new LocalStorage();
    this.order = this.shelf.get(KEY) === NEWEST ? NEWEST : "oldest";
    if (this.order === NEWEST) this.arrange();
    this.render();
  },

  turn() {
    this.order = this.order === NEWEST ? "oldest" : NEWEST;
    this.shelf.put(KEY, this.order);
    this.arrange();
    this.render();
  },

  render() {
    this.el.dataset.order = this.order;
    this.el.querySelector(".thread__order-words").textContent = WORDS[this.order];
  },

  arrange() {
    const parts = PARTS[this.order].map((name) => this.el.querySelector(`.thread__${name}`));
    const composer = this.el.querySelector(".composer");
    const all = this.order === NEWEST ? [composer, ...parts] : [...parts, composer];
    const end = this.el.querySelector(".thread__volatile");
    for (const part of all) this.el.insertBefore(part, end);
    this.tree.turn(this.order === NEWEST);
  },
});
