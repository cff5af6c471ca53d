import { ComponentView } from "../ui/component_view.js";

const REMOVED = "This comment was removed by a moderator.";
const DELETED = "This comment was deleted.";

/** `removedBy`: "moderator", or undefined if its author deleted it. */
export const describeRemoval = (removedBy) => (removedBy === "moderator" ? REMOVED : DELETED);

/** The placeholder of a deleted comment that has replies. */
export const DeletedCommentView = ComponentView.extend({
  component: "gone",

  /** Options: `state` (comments.js); `el`, if the server rendered it. */
  initialize({ state }) {
    this.el.dataset.goneId = state.id;
    this.el.dataset.depth = state.path.length;
    this.show(state);
  },

  show({ removed_by: removedBy }) {
    const words = describeRemoval(removedBy);
    if (this.el.textContent !== words) this.el.textContent = words;
  },
});
