import { Comment, draft } from "./comment.js";
import {
  COMMENT_CREATED,
  COMMENT_DESTROYED,
  COMMENT_UPDATED,
  LOGIN_ENDED,
  STREAM_RESET,
} from "./events.js";
import { Snapshots } from "./snapshots.js";
import { Tombstones } from "./tombstones.js";

const UNAUTHORIZED = 401;

/**
 * The comments of one commentable, as far as they are loaded: the window from `before` on, or all of them
 * when `before` is null. What the stream says is merged in by id; applying a change twice, or late, does
 * nothing.
 */
export const Comments = Backbone.Collection.extend({
  model: Comment,
  url: "/api/comments/",

  /** Options: `bus`, and `commentable` {commentable_type, commentable_id}. */
  initialize(_, { bus, commentable }) {
    this.bus = bus;
    this.commentable = commentable;
    this.before = null;
    this.tombstones = new Tombstones();
    this.snapshots = new Snapshots(this, commentable);
    this.listenTo(bus, COMMENT_CREATED, this.upsert);
    this.listenTo(bus, COMMENT_UPDATED, this.upsert);
    this.listenTo(bus, COMMENT_DESTROYED, this.bury);
    this.listenTo(bus, STREAM_RESET, this.restart);
    this.on("change:created_seq", () => this.sort());
    this.on("sync", this.answered);
    this.on("destroy", this.deleted);
    this.on("refused", this.refused);
  },

  // In the order of creation, and what is not sent yet last.
  comparator(one, other) {
    const [a, b] = [one, other].map((comment) => comment.get("created_seq") ?? Infinity);
    return a === b ? 0 : a - b;
  },

  /** A new comment by that author: here at once, on the server as soon as it can. */
  compose(body, author) {
    const comment = this.add(draft(body, author, this.commentable));
    comment.post();
    return comment;
  },

  /** How many are loaded; there are more while `before` is not null. */
  count() {
    return this.filter((comment) => comment.state() !== "deleting").length;
  },

  upsert(state) {
    if (!this.isOurs(state)) return;
    this.snapshots.saw(state);
    const known = this.get(state.id);
    if (known) known.absorb(state);
    else if (this.belongs(state)) this.add(state);
  },

  isOurs(state) {
    const { commentable_type, commentable_id } = this.commentable;
    return state.commentable_type === commentable_type && state.commentable_id === commentable_id;
  },

  // Not a state from before its deletion, and inside the loaded window.
  belongs(state) {
    if (this.tombstones.covers(state)) return false;
    return this.before === null || state.created_seq >= this.before;
  },

  bury(state) {
    if (!this.isOurs(state)) return;
    const known = this.get(state.id);
    this.tombstones.bury(state.id, state.seq);
    if (known && (known.get("seq") ?? -1) <= state.seq) this.remove(known);
  },

  /** Take a snapshot for the whole truth; only what was not sent yet stays beside it. */
  replace(snapshot) {
    this.before = snapshot.before;
    const states = snapshot.comments.filter((state) => this.belongs(state));
    // Without `parse` a state counts even if its seq is lower: after a reset seqs may start anew.
    this.set([...states, ...this.filter((comment) => comment.isNew())]);
    for (const state of states) this.get(state.id).absorb(state);
    this.trigger("window", this);
  },

  /** Read the newest page again and show that. Answers with the snapshot. */
  async refetch() {
    this.tombstones.clear();
    const snapshot = await this.snapshots.newest();
    this.replace(snapshot);
    return snapshot;
  },

  /** Extend the window by the page before it; not while another read is under way. Rejected with a Problem. */
  async loadEarlier() {
    if (this.snapshots.reading) return;
    const snapshot = await this.snapshots.earlier(this.before);
    this.before = snapshot.before;
    const states = snapshot.comments.filter((state) => this.belongs(state));
    this.add(states, { merge: true, parse: true });
    this.trigger("window", this);
  },

  // The stream goes on from the head by itself; only what lies behind is to be read again.
  restart() {
    this.refetch();
  },

  answered(comment) {
    if (comment instanceof Comment && !comment.isNew())
      this.snapshots.saw({ ...comment.attributes });
  },

  deleted(comment) {
    if (!comment.isNew()) this.tombstones.bury(comment.id, Number.POSITIVE_INFINITY);
  },

  refused(_, problem) {
    if (problem.status === UNAUTHORIZED) this.bus.trigger(LOGIN_ENDED, {});
  },
});
