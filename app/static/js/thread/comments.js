import { backoff } from "../core/backoff.js";
import { ANCESTORS_CHANGED, COMMENT } from "../core/events.js";
import { Problem } from "../core/problem.js";
import { request } from "../core/sync.js";
import { uuid } from "../core/uuid.js";
import { LiveCollection } from "../live/live_collection.js";
import { Comment, newAttributes } from "./comment.js";

const ANCESTOR_MEMBERS = ["id", "created_seq", "parent_id", "path", "removed_by"];
const MAX_TRIES = 5; // to read the ancestors of one reply

/**
 * @typedef {{
 *   deletedAncestors: Map<string, Parley.State>,
 *   descendants: Map<string, Set<Parley.Comment>>,
 *   requested: Set<string>,
 * }} Fields
 */

/**
 * The comments of one commentable: those in the window, and the *ancestors* that they are drawn under, however old. A
 * deleted ancestor stays in `deletedAncestors` as long as it has descendants here:
 *
 *   deletedAncestors   id → {id, created_seq, parent_id, path, removed_by}
 *   descendants        id → the comments here that are drawn under it
 *
 * In addition to the events of LiveCollection: ANCESTORS_CHANGED.
 */
export const Comments = /** @type {LiveWith<Fields>} */ (LiveCollection).extend({
  model: Comment,
  url: "/api/comments/",
  plural: "comments",
  changes: COMMENT,

  page: /** @type {{ url: string, title: string } | null} */ (null), // the host's, sent with each new comment
  commentable: /** @type {Parley.Commentable | null} */ (null),
  version: 0, // of the snapshot; a response to a request of an older version is ignored

  initialize() {
    this.deletedAncestors = new Map();
    this.descendants = new Map();
    this.requested = new Set(); // ids of ancestors that are being read
    this.on("add", this.addToAncestors);
    this.on("remove", this.removeFromAncestors);
    this.on("update", this.updated);
    this.on("change:created_seq", (comment) => this.loadAncestors(comment));
  },

  /**
   * Create a comment by that author: it is here immediately, and is sent as soon as possible. Null if too many are
   * waiting to be sent. If a comment with this id exists, its author has already posted it, and it is returned.
   */
  compose(body, author, parent = null, id = uuid()) {
    return (
      this.get(id) ??
      this.create({
        id,
        ...newAttributes(body, author, parent),
        ...(this.page && { page: this.page }),
      })
    );
  },

  /** The number of loaded comments. There are more while `before` or `after` is not null. */
  count() {
    return this.filter((comment) => comment.state() !== "deleting").length;
  },

  /** The number of all comments, or null if the page does not know it. */
  total() {
    return this.commentable?.get("comments_count") ?? null;
  },

  isClosedTo(account) {
    return this.commentable?.isClosedTo(account) ?? false;
  },

  /** The `created_seq` of this comment, also of a deleted ancestor; undefined if it is not known. */
  seqOf(id) {
    return this.deletedAncestors.get(id)?.created_seq ?? this.get(id)?.get("created_seq");
  },

  // -- ancestors and their descendants

  addToAncestors(comment) {
    for (const id of comment.path()) {
      const descendants = this.descendants.get(id) ?? new Set();
      this.descendants.set(id, descendants.add(comment));
    }
    this.deletedAncestors.delete(comment.id);
  },

  removeFromAncestors(comment) {
    for (const id of comment.path()) {
      const rest = this.descendants.get(id);
      rest?.delete(comment);
      if (rest?.size === 0) this.descendants.delete(id);
    }
    if (this.descendants.has(comment.id)) this.rememberDeleted(comment.attributes);
  },

  // The reason may change: the author may delete a comment that a moderator has hidden.
  applyDeletion(state) {
    const isNew = this.isOurs(state) && !this.tombstones.covers(state);
    const reason = { removed_by: state.removed_by };
    this.get(state.id)?.set(reason, { silent: true }); // the view that replaces it needs the reason
    LiveCollection.prototype.applyDeletion.call(this, state);
    const known = this.deletedAncestors.get(state.id);
    if (!isNew || !known) return;
    this.deletedAncestors.set(state.id, { ...known, ...reason });
    this.trigger(ANCESTORS_CHANGED, this);
  },

  rememberDeleted(state) {
    this.deletedAncestors.set(
      state.id,
      /** @type {Parley.State} */ (_.pick(state, ANCESTOR_MEMBERS)),
    );
  },

  updated(_collection, { changes: { added, removed } }) {
    if (removed.length > 0) this.prune();
    for (const comment of added) this.loadAncestors(comment);
  },

  // Ancestors that have no descendants here any more are not needed.
  prune() {
    for (const id of this.deletedAncestors.keys())
      if (!this.descendants.has(id)) this.deletedAncestors.delete(id);
    this.remove(this.filter((comment) => this.isTooOld(comment)));
  },

  isTooOld(comment) {
    const { before } = this;
    const isOld = before !== null && comment.get("created_seq") < before;
    return isOld && !this.descendants.has(comment.id);
  },

  // Ancestors outside of the window are kept up to date, too.
  belongs(state) {
    if (this.tombstones.covers(state)) return false;
    return this.isInside(state) || this.descendants.has(state.id);
  },

  // -- the ancestors in a snapshot

  replace(snapshot, options) {
    this.version += 1;
    this.deletedAncestors.clear();
    LiveCollection.prototype.replace.call(this, snapshot, options);
  },

  statesOf(snapshot) {
    const states = new Map(snapshot.comments.map((state) => [state.id, state]));
    const ancestors = (snapshot.ancestors ?? []).map((state) =>
      latest(state, states.get(state.id)),
    );
    return [
      ...this.takeAncestors(ancestors),
      ...LiveCollection.prototype.statesOf.call(this, snapshot),
    ];
  },

  // Returns the ancestors that exist. The places of the deleted ones are remembered.
  takeAncestors(ancestors) {
    for (const state of ancestors) if (state.deleted) this.applyDeletion(state);
    const isDeleted = (state) => state.deleted || this.tombstones.covers(state);
    const [deleted, existing] = _.partition(ancestors, isDeleted);
    for (const state of deleted) if (!this.get(state.id)) this.rememberDeleted(state);
    return existing;
  },

  // The stream may deliver a reply whose ancestors are not loaded.
  async loadAncestors(comment, tries = 1) {
    const missing = comment.path().filter((id) => this.seqOf(id) === undefined);
    if (comment.isNew() || missing.every((id) => this.requested.has(id))) return;
    const { version } = this;
    for (const id of missing) this.requested.add(id);
    try {
      const url = `${comment.url()}/ancestors/`;
      const { ancestors } = await request("read", comment, { url });
      if (version === this.version) this.addAncestors(ancestors);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setTimeout(() => this.retryAncestors(comment, tries), backoff(tries));
    } finally {
      for (const id of missing) this.requested.delete(id);
    }
  },

  addAncestors(ancestors) {
    const wanted = ancestors.filter((state) => this.descendants.has(state.id));
    this.add(this.takeAncestors(wanted), { merge: true, parse: true });
    this.trigger(ANCESTORS_CHANGED, this);
  },

  retryAncestors(comment, tries) {
    if (this.get(comment.id) && tries < MAX_TRIES) this.loadAncestors(comment, tries + 1);
  },
});

const latest = (state, other) => (other && other.seq > state.seq ? other : state);
