import { ComponentView } from "../ui/component_view.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";

/** @typedef {{ collection: Parley.Comments }} Fields */

/** A view of the thread's section: the list of comments, and the parts around it. To be extended. */
export const SectionView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "thread",

  /**
   * Hide or show parts of the section without moving the scroll anchor.
   * @param {{ [name: string]: boolean }} parts {name: whether to hide it}
   */
  setHidden(parts) {
    const changes = Object.entries(parts).filter(
      ([name, hidden]) => this.part(name).hidden !== hidden,
    );
    if (changes.length === 0) return;
    keepScrollPosition(this.part("list"), () => {
      for (const [name, hidden] of changes) this.part(name).hidden = hidden;
    });
  },
});
