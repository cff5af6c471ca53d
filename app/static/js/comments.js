import { Comment, draft } from "./comment.js";
import { COMMENT } from "./events.js";
import { LiveCollection } from "./live_collection.js";

/** The comments of one commentable. */
export const Comments = LiveCollection.extend({
  model: Comment,
  url: "/api/comments/",
  plural: "comments",
  changes: COMMENT,

  /** A new comment by that author: here at once, on the server as soon as it can. Null when too many wait already. */
  compose(body, author) {
    return this.create(draft(body, author));
  },

  /** How many are loaded; there are more while `before` is not null. */
  count() {
    return this.filter((comment) => comment.state() !== "deleting").length;
  },
});
