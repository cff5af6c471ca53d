import { ANNOUNCEMENT } from "../core/events.js";
import { Problem } from "../core/problem.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { bringIntoView } from "../ui/viewport.js";
import { unfold } from "./folding.js";

const HASH = /^#comment-([\w-]{1,36})$/;
const GONE = "The comment you're looking for no longer exists.";
const NOWHERE = [404, 422]; // there never was such a comment here

/** @typedef {{ bus: Backbone.Events, collection: Parley.Comments, list: HTMLElement }} Fields */

/** `#comment-…` in the address: that comment is loaded, if it is not, and shown. `el` is the thread's section. */
export const DeepLinkView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  initialize({ bus }) {
    this.bus = bus;
    this.list = this.el.querySelector(".thread__list");
    window.addEventListener("hashchange", () => this.follow());
    this.follow();
  },

  async follow() {
    const id = HASH.exec(window.location.hash)?.[1];
    this.say("");
    if (!id) return;
    if (this.find(id)) return this.show(id);
    try {
      await this.collection.loadAround(id);
      this.show(id, "instant");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.say(NOWHERE.includes(problem.status) ? GONE : problem.message);
    }
  },

  find(id) {
    return this.list.querySelector(`#comment-${id}, [data-gone-id="${id}"]`);
  },

  show(id, behavior) {
    const element = this.find(id);
    if (element?.matches(".comment")) unfold(element);
    else this.say(GONE);
    if (element) this.lead(element, behavior);
  },

  // Once the page has come to rest: what moves it in this frame is done by then.
  lead(element, behavior) {
    element.classList.remove("is-target");
    requestAnimationFrame(() => {
      bringIntoView(element, behavior);
      element.classList.add("is-target");
    });
  },

  say(words) {
    const part = this.el.querySelector(".thread__lost");
    if (words === part.textContent) return;
    keepScrollPosition(this.list, () => {
      part.textContent = words;
      part.hidden = words === "";
    });
    if (words === "") return;
    this.bus.trigger(ANNOUNCEMENT, words);
    bringIntoView(part, "instant");
  },
});
