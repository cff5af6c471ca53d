import { DISCARD_WANTED } from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { copyByButton } from "../ui/clipboard.js";
import { ComponentView } from "../ui/component_view.js";

/**
 * An unsent text that has no field here: its comment was deleted or is not loaded, or comments are closed. It is shown
 * until its author discards it. `href`, if there is one, is the link to its comment.
 *
 * Triggers DISCARD_WANTED.
 */
export const OrphanedEditView = ComponentView.extend({
  component: "kept",
  events: {
    "click .kept__copy": "copy",
    "click .kept__discard": "discard",
  },

  /** Options: `why`, the reason; `text`; `href`, or null. */
  initialize({ why, text, href = null }) {
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
