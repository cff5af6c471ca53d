import { pageOf } from "../core/base.js";
import { LiveModel } from "../live/live_model.js";
import { isolated } from "../ui/isolated.js";

/** Somebody replied to the user, or mentioned the user. */
export const Notification = LiveModel.extend({
  type: "notification",
  urlRoot: "/api/notifications/",
  writable: ["read"],

  /** Whether it is read, including marks that the server has not confirmed. */
  isRead() {
    return this.shown("read") || this.get("created_seq") <= (this.collection?.readUpto() ?? 0);
  },

  /** Mark it as read or unread. No `base`: if two marks conflict, the last one wins. */
  mark(read) {
    if (read !== this.isRead()) this.save({ read }, { patch: true, wait: true, base: null });
  },

  /** "Bob replied to you" */
  summary() {
    const verb = this.get("kind") === "reply" ? "replied to you" : "mentioned you";
    return `${isolated(this.get("actor_name"))} ${verb}`;
  },

  /** The topic of the comment: "Article/1" */
  place() {
    return `${this.get("commentable_type")}/${this.get("commentable_id")}`;
  },

  /** The title of the commentable, or else its type and id. */
  where() {
    const { title, commentable_type, commentable_id } = this.attributes;
    return title || `${commentable_type} ${commentable_id}`;
  },

  /** The comment's address: on the host's page if the server knows it, else on Parley's own page. */
  href() {
    return `${this.get("url") || pageOf(this.place())}#comment-${this.get("comment_id")}`;
  },
});
