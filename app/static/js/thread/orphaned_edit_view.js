import { DISCARD_WANTED } from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { copyByButton } from "../ui/clipboard.js";
import { ComponentView } from "../ui/component_view.js";

/** @typedef {{ bus: Backbone.Events }} Fields */

/**
 * An unsent text that has no field here: its comment was deleted or is not loaded, or comments are closed. It is shown
 * until its author discards it. `href`, if there is one, is the link to its comment.
 *
 * Triggers DISCARD_WANTED.
 */
export const OrphanedEditView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "kept",
  events: {
    "click .kept__copy": "copy",
    "click .kept__discard": "discard",
  },

  /** Options: `bus`; `why`, the reason; `text`; `href`, or null. */
  initialize({ bus, why, text, href = null }) {
    this.bus = bus;
    this.setElement(fromTemplate("kept"));
    this.part("why").textContent = why;
    this.part("text").textContent = text;
    this.part("link").hidden = href === null;
    if (href) this.part("link").href = href;
  },

  copy() {
    copyByButton(this.part("text").textContent, this.part("copy"), this.bus);
  },

  discard() {
    this.trigger(DISCARD_WANTED);
  },
});
