import { LIKE, likeChanged, SAVE_STATE_CHANGED, SERVER_STATE } from "../core/events.js";
import { namedUuid } from "../core/uuid.js";
import { OwnCollection } from "../live/own_collection.js";
import { Like } from "./like.js";
import { afterComment, afterResponse, inAgreement } from "./like_count.js";

/**
 * @typedef {{
 *   account: Parley.Account,
 *   comments: Parley.Comments,
 *   byComment: Map<string, any>,
 *   counts: Map<string, Parley.LikeCount>,
 * }} Fields
 */

/**
 * This account's likes of comments on one commentable. They are on the account's own topic, so all tabs of the account
 * show the same likes. A guest has none. Options, in addition to those of OwnCollection: `account`, and `comments`,
 * whose numbers of likes include these. Triggers `likeChanged` (events.js) if a comment's button must be rendered
 * again.
 */
export const Likes = /** @type {OwnWith<Fields>} */ (OwnCollection).extend({
  model: Like,
  url: "/api/likes/",
  plural: "likes",
  changes: LIKE,

  initialize(_models, { account, comments }) {
    Object.assign(this, { account, comments });
    this.byComment = new Map();
    this.counts = new Map(); // comment id → like_count.js, only until number and like agree and nothing is requested
    this.on("add", (like) => this.byComment.set(like.get("comment_id"), like));
    this.on("remove", (like) => this.byComment.delete(like.get("comment_id")));
    this.on("reset", this.clearIndex);
    this.on(`add remove ${SAVE_STATE_CHANGED} change`, (like) =>
      this.notify(like.get("comment_id")),
    );
    this.listenTo(this.outbox, SERVER_STATE, this.applyResponse);
    this.listenTo(comments, "change:seq", this.applyComment);
  },

  // -- what a like button shows

  isWanted(comment) {
    return this.byComment.get(comment.id)?.isWanted() ?? false;
  },

  /** The number of likes, including the one that this person wants. */
  count(comment) {
    const contained = this.counts.get(comment.id)?.contained ?? this.isConfirmed(comment.id);
    return comment.get("likes_count") - Number(contained) + Number(this.isWanted(comment));
  },

  /** Like the comment, unless this person likes it already or it was deleted. */
  like(comment) {
    if (this.comments.get(comment.id) && !this.isWanted(comment)) this.toggle(comment);
  },

  /** Like or unlike the comment. Nothing happens if the outbox is full. */
  toggle(comment) {
    if (this.outbox.isFull()) return;
    const id = namedUuid(comment.id, this.account.id);
    const wanted = !this.isWanted(comment);
    const like = this.get(id) ?? this.add({ id, ...this.place, comment_id: comment.id });
    like.setWanted(wanted);
  },

  isConfirmed(commentId) {
    return this.byComment.get(commentId)?.isConfirmed() ?? false;
  },

  notify(commentId) {
    this.trigger(likeChanged(commentId));
  },

  // -- whether a number includes the like

  // A record begins or ends. When it begins, the number includes the like if the server has it.
  applyRecord(type, key, record) {
    if (type !== this.type) return;
    const commentId = this.commentOf(key);
    if (record && this.isOurRecord(record) && !this.counts.has(commentId))
      this.counts.set(commentId, inAgreement(key, this.isConfirmed(commentId)));
    OwnCollection.prototype.applyRecord.call(this, type, key, record);
    if (record === null) queueMicrotask(() => this.dropCount(commentId)); // after the like itself is updated
  },

  applyResponse(type, { id, deleted = false }, seq) {
    if (type !== this.type || seq === null) return;
    const commentId = this.commentOf(id);
    const comment = this.comments.get(commentId);
    const count = this.counts.get(commentId);
    if (!comment || !count) return;
    this.setCount(comment, afterResponse(count, !deleted, seq, comment.get("seq")));
  },

  applyComment(comment) {
    const count = this.counts.get(comment.id);
    if (!count) return;
    const difference = comment.get("likes_count") - (comment.previous("likes_count") ?? 0);
    const requested = this.requested(comment.id);
    this.setCount(comment, afterComment(count, comment.get("seq"), difference, requested), true);
  },

  setCount(comment, count, isLast = false) {
    this.counts.set(comment.id, count);
    this.dropCount(comment.id, isLast);
    this.notify(comment.id);
  },

  // Once nothing is requested, number and like agree, or are about to. `isLast`: no response is expected any more.
  dropCount(commentId, isLast = false) {
    const count = this.counts.get(commentId);
    if (!count || count.marks.length > 0 || this.recordOf(commentId)) return;
    if (isLast || count.contained === this.isConfirmed(commentId)) this.counts.delete(commentId);
    this.notify(commentId);
  },

  // Whether a request to like (true) or unlike (false) is on its way; null if there is none.
  requested(commentId) {
    const latest = this.recordOf(commentId)?.sent.at(-1); // the person may want the opposite by now
    return latest ? "comment_id" in latest : null;
  },

  recordOf(commentId) {
    return this.outbox.records.find((record) => {
      return record.type === this.type && record.draft.comment_id === commentId;
    });
  },

  commentOf(id) {
    const known =
      this.get(id)?.get("comment_id") ?? this.outbox.find(this.type, id)?.draft.comment_id;
    return known ?? [...this.counts].find(([, count]) => count.id === id)?.[0];
  },

  // -- whose likes these are

  setUser(user) {
    this.counts.clear();
    OwnCollection.prototype.setUser.call(this, user);
  },

  clearIndex() {
    const commentIds = [...this.byComment.keys()];
    this.byComment.clear();
    for (const commentId of commentIds) this.notify(commentId);
  },

  isOurs(state) {
    return this.topic !== null && _.isMatch(state, this.place);
  },
});
