import { fromTemplate } from "./template.js";

/** What is left of a comment that others are drawn under. */
export const GoneView = Backbone.View.extend({
  /** Options: `state` (comments.js), `element`, when the page came with one. */
  initialize({ state, element = null }) {
    this.setElement(element ?? fromTemplate("gone"));
    this.el.dataset.goneId = state.id;
    this.el.dataset.depth = state.path.length;
  },
});
