import { ANNOUNCEMENT, DISCARD_WANTED } from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { copyText } from "../ui/clipboard.js";

/** @typedef {{ bus: Backbone.Events }} Fields */

/**
 * An unsent text that has no field here: its comment was deleted or is not loaded, or comments are closed. It is shown
 * until its author discards it. `href`, if there is one, is the link to its comment.
 *
 * Triggers DISCARD_WANTED.
 */
export const OrphanedEditView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
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

  part(name) {
    return this.el.querySelector(`.kept__${name}`);
  },

  async copy() {
    const isCopied = await copyText(this.part("text").textContent);
    this.part("copy").textContent = isCopied ? "Copied" : "Copy text";
    this.bus.trigger(ANNOUNCEMENT, isCopied ? "Text copied." : "Couldn't copy the text.");
  },

  discard() {
    this.trigger(DISCARD_WANTED);
  },
});
