import { backoff } from "../core/backoff.js";
import { ANCESTORS_CHANGED, COMMENT } from "../core/events.js";
import { Problem } from "../core/problem.js";
import { request } from "../core/sync.js";
import { uuid } from "../core/uuid.js";
import { LiveCollection } from "../live/live_collection.js";
import { Comment, newAttributes } from "./comment.js";

const REMAINS = ["id", "created_seq", "parent_id", "path", "removed_by"];
const MOST_TRIES = 5; // to learn what one reply is drawn under

/**
 * @typedef {{
 *   page: { url: string, title: string } | null,
 *   commentable: Parley.Commentable | null,
 *   gone: Map<string, Parley.State>,
 *   under: Map<string, Set<Parley.Comment>>,
 *   asked: Set<string>,
 *   turn: number,
 * }} Fields
 */

/**
 * The comments of one commentable: those in the window, and the *ancestors* that they are drawn under, however old.
 * What is left of an ancestor that is gone is in `gone`, as long as something is drawn under it:
 *
 *   gone    id → {id, created_seq, parent_id, path, removed_by}
 *   under   id → the comments here that are drawn under it
 *
 * Beside its other events: "ancestors" when more is known about those.
 */
export const Comments = /** @type {LiveWith<Fields>} */ (LiveCollection).extend({
  model: Comment,
  url: "/api/comments/",
  plural: "comments",
  changes: COMMENT,

  initialize() {
    this.page = null; // {url, title} of the host's page that this is in, sent with each new comment
    this.commentable = null; // a live model with `comments_count`, where the page has one
    this.gone = new Map();
    this.under = new Map();
    this.asked = new Set(); // ids of ancestors that are being asked for
    this.turn = 0;
    this.on("add", this.hang);
    this.on("remove", this.take);
    this.on("update", this.updated);
    this.on("change:created_seq", (comment) => this.complete(comment));
  },

  /**
   * Create a comment by that author: it is here immediately, and is sent as soon as possible. Null if too many are
   * waiting to be sent. If a comment with this id exists, its author has already posted it, and it is returned.
   */
  compose(body, author, parent = null, id = uuid()) {
    return (
      this.get(id) ??
      this.create({ id, ...newAttributes(body, author, parent), ...this.pageAttributes() })
    );
  },

  // The host's page, if this thread is embedded.
  pageAttributes() {
    return this.page === null ? {} : { page: this.page };
  },

  /** How many are loaded; there are more while `before` or `after` is not null. */
  count() {
    return this.filter((comment) => comment.state() !== "deleting").length;
  },

  /** How many there are altogether, or null where nobody knows. */
  total() {
    return this.commentable?.get("comments_count") ?? null;
  },

  /** When this comment was made, also where it is gone; undefined where it is not known. */
  seqOf(id) {
    return this.gone.get(id)?.created_seq ?? this.get(id)?.get("created_seq");
  },

  // -- what is drawn under what

  hang(comment) {
    for (const id of comment.path()) {
      const under = this.under.get(id) ?? new Set();
      this.under.set(id, under.add(comment));
    }
    this.gone.delete(comment.id);
  },

  take(comment) {
    for (const id of comment.path()) {
      const rest = this.under.get(id);
      rest?.delete(comment);
      if (rest?.size === 0) this.under.delete(id);
    }
    if (this.under.has(comment.id)) this.leave(comment.attributes);
  },

  // The reason may change later: its author may delete a comment that a moderator has hidden.
  bury(state) {
    const isNews = this.isOurs(state) && !this.tombstones.covers(state);
    const reason = { removed_by: state.removed_by };
    this.get(state.id)?.set(reason, { silent: true }); // the view that replaces it needs the reason
    LiveCollection.prototype.bury.call(this, state);
    const remains = this.gone.get(state.id);
    if (!isNews || !remains) return;
    this.gone.set(state.id, { ...remains, ...reason });
    this.trigger(ANCESTORS_CHANGED, this);
  },

  leave(state) {
    this.gone.set(state.id, /** @type {Parley.State} */ (_.pick(state, REMAINS)));
  },

  updated(_collection, { changes: { added, removed } }) {
    if (removed.length > 0) this.prune();
    for (const comment of added) this.complete(comment);
  },

  // Nobody needs the ancestors of what is gone itself.
  prune() {
    for (const id of this.gone.keys()) if (!this.under.has(id)) this.gone.delete(id);
    this.remove(this.filter((comment) => this.isTooOld(comment)));
  },

  isTooOld(comment) {
    const { before } = this;
    const isOld = before !== null && comment.get("created_seq") < before;
    return isOld && !this.under.has(comment.id);
  },

  // An ancestor is looked after like all that is in the window.
  belongs(state) {
    if (this.tombstones.covers(state)) return false;
    return this.isInside(state) || this.under.has(state.id);
  },

  // -- what a page says about ancestors

  replace(snapshot, options) {
    this.turn += 1;
    this.gone.clear();
    LiveCollection.prototype.replace.call(this, snapshot, options);
  },

  statesOf(snapshot) {
    const states = new Map(snapshot.comments.map((state) => [state.id, state]));
    const ancestors = (snapshot.ancestors ?? []).map((state) =>
      latest(state, states.get(state.id)),
    );
    return [...this.learn(ancestors), ...LiveCollection.prototype.statesOf.call(this, snapshot)];
  },

  // Those of them that are there. Of the others it is remembered where they were.
  learn(ancestors) {
    for (const state of ancestors) if (state.deleted) this.bury(state);
    const isGone = (state) => state.deleted || this.tombstones.covers(state);
    const [gone, there] = _.partition(ancestors, isGone);
    for (const state of gone) if (!this.get(state.id)) this.leave(state);
    return there;
  },

  // A reply that came over the stream, to something that is not loaded.
  async complete(comment, tries = 1) {
    const missing = comment.path().filter((id) => this.seqOf(id) === undefined);
    if (comment.isNew() || missing.every((id) => this.asked.has(id))) return;
    const { turn } = this;
    for (const id of missing) this.asked.add(id);
    try {
      const url = `${comment.url()}/ancestors/`;
      const { ancestors } = await request("read", comment, { url });
      if (turn === this.turn) this.heard(ancestors);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setTimeout(() => this.tryAgain(comment, tries), backoff(tries));
    } finally {
      for (const id of missing) this.asked.delete(id);
    }
  },

  heard(ancestors) {
    const wanted = ancestors.filter((state) => this.under.has(state.id));
    this.add(this.learn(wanted), { merge: true, parse: true });
    this.trigger(ANCESTORS_CHANGED, this);
  },

  tryAgain(comment, tries) {
    if (this.get(comment.id) && tries < MOST_TRIES) this.complete(comment, tries + 1);
  },
});

const latest = (state, other) => (other && other.seq > state.seq ? other : state);
