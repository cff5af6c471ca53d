import { Problem } from "../core/problem.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { bringIntoView } from "../ui/viewport.js";
import { unfold } from "./folding.js";
import { SectionView } from "./section_view.js";

const HASH = /^#comment-([\w-]{1,36})$/;
const NOT_FOUND_MESSAGE = "The comment you're looking for no longer exists.";
const NOT_FOUND_STATUSES = [404, 422]; // there is no such comment in this conversation

/** @typedef {{ list: HTMLElement }} Fields */

/**
 * Follows a permalink: the comment of `#comment-…` in the address is loaded, if necessary, and shown. `el` is the
 * thread's section.
 */
export const DeepLinkView = /** @type {SectionWith<Fields>} */ (SectionView).extend({
  initialize() {
    this.list = this.part("list");
    window.addEventListener("hashchange", () => this.follow());
    this.follow();
  },

  async follow() {
    const id = HASH.exec(window.location.hash)?.[1];
    this.showMessage("");
    if (!id) return;
    if (this.find(id)) return this.show(id);
    try {
      await this.collection.loadWindow({ around: id });
      this.show(id, "instant");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.showMessage(
        NOT_FOUND_STATUSES.includes(problem.status) ? NOT_FOUND_MESSAGE : problem.message,
      );
    }
  },

  find(id) {
    return this.list.querySelector(`#comment-${id}, [data-gone-id="${id}"]`);
  },

  show(id, behavior) {
    const element = this.find(id);
    if (element?.matches(".comment")) unfold(element);
    else this.showMessage(NOT_FOUND_MESSAGE);
    if (element) this.scrollTo(element, behavior);
  },

  // In the next frame: until then, other changes of this frame move the page.
  scrollTo(element, behavior) {
    element.classList.remove("is-target");
    requestAnimationFrame(() => {
      bringIntoView(element, behavior);
      element.classList.add("is-target");
    });
  },

  showMessage(words) {
    const part = this.part("lost");
    if (words === part.textContent) return;
    keepScrollPosition(this.list, () => {
      part.textContent = words;
      part.hidden = words === "";
    });
    if (words === "") return;
    this.announce(words);
    bringIntoView(part, "instant");
  },
});
