import { LiveModel } from "../live/live_model.js";

/**
 * This account likes a comment. The id is derived from both, so the same like can be created and deleted repeatedly.
 */
export const Like = LiveModel.extend({
  type: "like",
  writable: ["comment_id"],

  address() {
    return `/api/comments/${this.get("comment_id")}/like`;
  },

  /** Whether the server has it. */
  isConfirmed() {
    return !this.isNew();
  },

  isWanted() {
    return this.state() !== "deleting";
  },

  /** Create or delete it. A refusal restores the former state; no text is lost, so no message is shown. */
  setWanted(wanted) {
    this.addChange(wanted ? "create" : "destroy", {}).catch(() => {});
  },

  draft() {
    return this.omit("seq", "created_seq");
  },
});
