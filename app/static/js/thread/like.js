import { LiveModel } from "../live/live_model.js";

/** That the account that looks likes a comment. There is one for the two of them, so it may come and go. */
export const Like = LiveModel.extend({
  type: "like",
  writable: ["comment_id"],

  address() {
    return `/api/comments/${this.get("comment_id")}/like`;
  },

  /** Does the server know of it? */
  stands() {
    return !this.isNew();
  },

  /** Is it wanted? */
  isWanted() {
    return this.state() !== "deleting";
  },

  /** Have it, or do without. Refused, it is as it was; nobody has written anything. */
  turn(wanted) {
    this.want(wanted ? "create" : "destroy", {}).catch(() => {});
  },

  draft() {
    return this.omit("seq", "created_seq");
  },
});
