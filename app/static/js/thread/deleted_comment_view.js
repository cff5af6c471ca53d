import { fromTemplate } from "../core/template.js";

const BY_MODERATOR = "This comment was removed by a moderator.";
const DELETED = "This comment was deleted.";

/** `removedBy`: "moderator", or undefined if its author deleted it. */
export const describeRemoval = (removedBy) => (removedBy === "moderator" ? BY_MODERATOR : DELETED);

/** What is left of a comment that others are drawn under. */
export const DeletedCommentView = Backbone.View.extend({
  /** Options: `state` (comments.js), `element`, when the page came with one. */
  initialize({ state, element = null }) {
    this.setElement(element ?? fromTemplate("gone"));
    this.el.dataset.goneId = state.id;
    this.el.dataset.depth = state.path.length;
    this.show(state);
  },

  show({ removed_by: removedBy }) {
    const words = describeRemoval(removedBy);
    if (this.el.textContent !== words) this.el.textContent = words;
  },
});
