import { pageOf } from "../core/base.js";
import { LiveModel } from "../live/live_model.js";
import { isolated } from "../ui/isolated.js";

/** That somebody replied to one, or named one. */
export const Notification = LiveModel.extend({
  type: "notification",
  urlRoot: "/api/notifications/",
  writable: ["read"],

  /** Whether it is read, as far as the person is concerned. */
  isRead() {
    return this.shown("read") || this.get("created_seq") <= (this.collection?.readUpto() ?? 0);
  },

  /** Mark it as read, or as unread. A mark is no text: without a base the last one counts. */
  mark(read) {
    if (read !== this.isRead()) this.save({ read }, { patch: true, wait: true, base: null });
  },

  /** "Bob replied to you" */
  words() {
    const did = this.get("kind") === "reply" ? "replied to you" : "mentioned you";
    return `${isolated(this.get("actor_name"))} ${did}`;
  },

  /** Where that was: its title, or what it is. */
  where() {
    const { title, commentable_type, commentable_id } = this.attributes;
    return title || `${commentable_type} ${commentable_id}`;
  },

  /** The comment's address: in the host's page, if that was known, else in our own. */
  href() {
    const { url, commentable_type, commentable_id, comment_id } = this.attributes;
    const page = url || pageOf(`${commentable_type}/${commentable_id}`);
    return `${page}#comment-${comment_id}`;
  },
});
