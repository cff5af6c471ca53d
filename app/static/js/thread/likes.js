import { LIKE, likeChanged, SAVE_STATE_CHANGED, SERVER_STATE } from "../core/events.js";
import { namedUuid } from "../core/uuid.js";
import { OwnCollection } from "../live/own_collection.js";
import { Like } from "./like.js";
import { hear, level, mark } from "./like_count.js";

/**
 * @typedef {{
 *   account: Parley.Account,
 *   comments: Parley.Comments,
 *   byComment: Map<string, any>,
 *   tallies: Map<string, Parley.Tally>,
 * }} Fields
 */

/**
 * What the account that looks likes under this commentable. It lives on the account's own topic, so that it is the same
 * in all of one's tabs; a guest likes nothing. Options, beside the usual: `account`, and `comments`, whose numbers
 * these count in. Triggers "liked:<comment id>" when there is something else to show.
 */
export const Likes = /** @type {OwnWith<Fields>} */ (OwnCollection).extend({
  model: Like,
  url: "/api/likes/",
  plural: "likes",
  changes: LIKE,

  initialize(_models, { account, comments }) {
    Object.assign(this, { account, comments });
    this.byComment = new Map();
    this.tallies = new Map(); // comment id → a tally (like_count.js), while more is known than the server's last word
    this.on("add", (like) => this.byComment.set(like.get("comment_id"), like));
    this.on("remove", (like) => this.byComment.delete(like.get("comment_id")));
    this.on("reset", this.cleared);
    this.on(`add remove ${SAVE_STATE_CHANGED} change`, (like) => this.tell(like.get("comment_id")));
    this.listenTo(this.outbox, SERVER_STATE, this.counted);
    this.listenTo(comments, "change:seq", this.heard);
  },

  // -- what to show

  /** Does who looks want to like it? */
  isWanted(comment) {
    return this.byComment.get(comment.id)?.isWanted() ?? false;
  },

  /** How many like it, with what who looks wants. */
  count(comment) {
    const contained = this.tallies.get(comment.id)?.contained ?? this.stands(comment.id);
    return comment.get("likes_count") - Number(contained) + Number(this.isWanted(comment));
  },

  /** Like it, unless this person likes it already, or it is gone. */
  like(comment) {
    if (this.comments.get(comment.id) && !this.isWanted(comment)) this.toggle(comment);
  },

  /** Like it, or no longer. Nothing happens while too much waits already. */
  toggle(comment) {
    if (this.outbox.isFull()) return;
    const id = namedUuid(comment.id, this.account.id);
    const wanted = !this.isWanted(comment);
    const like = this.get(id) ?? this.add({ id, ...this.place, comment_id: comment.id });
    like.turn(wanted);
  },

  // Does the server's last word have it?
  stands(commentId) {
    return this.byComment.get(commentId)?.stands() ?? false;
  },

  tell(commentId) {
    this.trigger(likeChanged(commentId));
  },

  // -- whether a number has it already

  // Something is wanted, or no more. What the number has then is what the server had.
  stood(type, key, record) {
    if (type !== this.type) return;
    const commentId = this.commentOf(key);
    if (record && this.concerns(record) && !this.tallies.has(commentId))
      this.tallies.set(commentId, level(key, this.stands(commentId)));
    OwnCollection.prototype.stood.call(this, type, key, record);
    if (record === null) queueMicrotask(() => this.forget(commentId)); // once what the server has is here, too
  },

  counted(type, { id, deleted = false }, seq) {
    if (type !== this.type || seq === null) return;
    const commentId = this.commentOf(id);
    const comment = this.comments.get(commentId);
    const tally = this.tallies.get(commentId);
    if (!comment || !tally) return;
    this.put(comment, mark(tally, !deleted, seq, comment.get("seq")));
  },

  heard(comment) {
    const tally = this.tallies.get(comment.id);
    if (!tally) return;
    const by = comment.get("likes_count") - (comment.previous("likes_count") ?? 0);
    this.put(comment, hear(tally, comment.get("seq"), by, this.asked(comment.id)), true);
  },

  put(comment, tally, isLast = false) {
    this.tallies.set(comment.id, tally);
    this.forget(comment.id, isLast);
    this.tell(comment.id);
  },

  // Nothing is wanted: the number has what the server has, or is about to. `isLast`: and no answer is to come.
  forget(commentId, isLast = false) {
    const tally = this.tallies.get(commentId);
    if (!tally || tally.marks.length > 0 || this.recordOf(commentId)) return;
    if (isLast || tally.contained === this.stands(commentId)) this.tallies.delete(commentId);
    this.tell(commentId);
  },

  asked(commentId) {
    const record = this.recordOf(commentId);
    return record && record.sent.length > 0 ? record.act === "create" : null;
  },

  recordOf(commentId) {
    return this.outbox.records.find((record) => {
      return record.type === this.type && record.draft.comment_id === commentId;
    });
  },

  commentOf(id) {
    const known =
      this.get(id)?.get("comment_id") ?? this.outbox.find(this.type, id)?.draft.comment_id;
    return known ?? [...this.tallies].find(([, tally]) => tally.id === id)?.[0];
  },

  // -- whose they are

  belongTo(user) {
    this.tallies.clear();
    OwnCollection.prototype.belongTo.call(this, user);
  },

  cleared() {
    const commentIds = [...this.byComment.keys()];
    this.byComment.clear();
    for (const commentId of commentIds) this.tell(commentId);
  },

  isOurs(state) {
    return this.topic !== null && _.isMatch(state, this.place);
  },
});
