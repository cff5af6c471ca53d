import { copyByButton } from "../ui/clipboard.js";
import { ComponentView } from "../ui/component_view.js";

/** @typedef {{ discard: () => void }} Fields */

/**
 * An unsent text that has no field here: its comment was deleted or is not loaded, or comments are closed. It is shown
 * until its author discards it.
 */
export const OrphanedEditView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "kept",
  events: {
    "click .kept__copy": "copy",
    "click .kept__discard": "discardText",
  },

  /** Options: `why`, the reason; `text`; `href`, the link to its comment, or null; `discard` (). */
  initialize({ why, text, href = null, discard }) {
    this.discard = discard;
    this.part("why").textContent = why;
    this.part("text").textContent = text;
    this.part("link").hidden = href === null;
    if (href) this.part("link").href = href;
  },

  discardText() {
    this.discard();
  },

  copy() {
    copyByButton(this.part("text").textContent, this.part("copy"), this.bus);
  },
});
