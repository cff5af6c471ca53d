import { DISCARD_WANTED, DRAFT_RESUMED } from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { ComponentView } from "../ui/component_view.js";

const WORDS = {
  edit: { words: "You have unsaved changes.", go: "Continue editing" },
  reply: { words: "You have an unsent reply.", go: "Continue" },
};

/**
 * The note under a comment that an unsaved text was put aside. `kind`: edit | reply. Triggers DRAFT_RESUMED and
 * DISCARD_WANTED.
 */
export const UnsavedView = ComponentView.extend({
  component: "unsaved",
  events: {
    "click .unsaved__continue": "continue",
    "click .unsaved__discard": "discard",
  },

  initialize({ kind }) {
    this.setElement(fromTemplate("unsaved"));
    this.el.dataset.kind = kind;
    this.part("words").textContent = WORDS[kind].words;
    this.part("continue").textContent = WORDS[kind].go;
  },

  continue() {
    this.trigger(DRAFT_RESUMED);
  },

  discard() {
    this.trigger(DISCARD_WANTED);
  },
});
