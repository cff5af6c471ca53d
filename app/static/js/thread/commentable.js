import { LiveModel } from "../live/live_model.js";

/** What is commented on, as far as its talk goes: its `title`, whether it is `locked`, and its `comments_count`. */
export const Commentable = LiveModel.extend({
  type: "commentable",
  urlRoot: "/api/commentables/",

  /** Whether this account may not write here. */
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
