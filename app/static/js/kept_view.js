import { fromTemplate } from "./template.js";

/** A text that was meant for a comment which is no more, or further up than what is loaded. It stays until it is given up. */
export const KeptView = Backbone.View.extend({
  events: { "click .kept__discard": "discard" },

  /** Options: `outbox`, `record`. */
  initialize({ outbox, record }) {
    this.setElement(fromTemplate("kept"));
    this.outbox = outbox;
    this.record = record;
    this.el.querySelector(".kept__why").textContent =
      `Couldn't save your changes. ${record.problem.message}`;
    this.el.querySelector(".kept__text").textContent = record.attrs.body;
    this.listenTo(outbox, "record", this.changed);
  },

  discard() {
    this.outbox.discard(this.record.type, this.record.key);
  },

  // Given up here, or in another tab.
  changed(type, key, record) {
    const isOurs = type === this.record.type && key === this.record.key;
    if (isOurs && record === null) this.remove();
  },
});
