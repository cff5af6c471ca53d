import { LiveModel } from "../live/live_model.js";

/** The thing that is commented on, with what its conversation needs: `title`, `locked` and `comments_count`. */
export const Commentable = LiveModel.extend({
  type: "commentable",
  urlRoot: "/api/commentables/",

  /** Whether comments are closed to this account. Moderators may still write in a locked conversation. */
  isClosedTo(account) {
    return Boolean(this.get("locked")) && !account.isModerator();
  },

  /** "Article/1" */
  name() {
    return nameOf(this.attributes);
  },
});

/** @param {{ commentable_type?: string, commentable_id?: string }} place */
export const nameOf = ({ commentable_type: type, commentable_id: id }) => `${type}/${id}`;
