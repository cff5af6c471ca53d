import { fromTemplate } from "./template.js";

/** A text that was meant for a comment which is no more, or further up than what is loaded. It stays until it is given up. */
export const KeptView = Backbone.View.extend({
  events: { "click .kept__discard": "discard" },

  /** Options: `outbox`, `record`. */
  initialize({ outbox, record }) {
    this.setElement(fromTemplate("kept"));
    this.outbox = outbox;
    this.key = record.key;
    this.el.querySelector(".kept__why").textContent = `Not saved. ${record.problem.message}`;
    this.el.querySelector(".kept__text").textContent = record.attrs.body;
    this.listenTo(outbox, "record", this.changed);
  },

  discard() {
    this.outbox.discard(this.key);
  },

  // Given up here, or in another tab.
  changed(key, record) {
    if (key === this.key && record === null) this.remove();
  },
});
