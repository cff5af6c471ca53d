import { LiveModel } from "./live_model.js";

/** The attributes of a comment that its author has just written and the server has not seen. */
export const draft = (body, author) => ({
  body,
  user_id: author.id,
  username: author.get("username"),
  parent_id: null,
  created_at: new Date().toISOString(),
  edited: false,
  current_user_can_edit: true,
});

/** One comment. */
export const Comment = LiveModel.extend({
  type: "comment",
  urlRoot: "/api/comments/",
  writable: ["body", "commentable_type", "commentable_id", "parent_id"],

  /** What to show: the text its author wants it to have. */
  text() {
    return this.shown("body");
  },

  /** Change the text. `seen`: {seq, body}, what its author saw. */
  edit(body, seen) {
    this.change({ body }, seen);
  },
});
