import {
  EDIT_ORPHANED,
  NEWER_CHANGED,
  RECORD_CHANGED,
  SERVER_STATE,
  STREAM_RESET,
  WINDOW_CHANGED,
} from "../core/events.js";
import { deleteInParting, request } from "../core/sync.js";
import { uuid } from "../core/uuid.js";
import { Partials } from "./partials.js";
import { Snapshots } from "./snapshots.js";
import { Tombstones } from "./tombstones.js";

const MOST_NEWER = 1_000; // that are counted; beyond it, there are many

/**
 * @typedef {{
 *   bus: Backbone.Events,
 *   outbox: Parley.Outbox,
 *   topic: string,
 *   place: Parley.Place,
 *   type: string,
 *   url: string,
 *   plural: string,
 *   changes: import("../core/events.js").Changes,
 *   before: number | null,
 *   after: number | null,
 *   newer: Map<string, number>,
 *   tombstones: import("./tombstones.js").Tombstones,
 *   partials: import("./partials.js").Partials,
 *   snapshots: import("./snapshots.js").Snapshots,
 *   headers: Record<string, string> | undefined,
 *   undoMs?: number,
 * }} Fields
 */

/**
 * The live objects of one topic, as far as they are loaded: the window from `before` to `after`, as far back as there
 * are any when `before` is null, and up to the live end when `after` is. What the stream says is merged in by id;
 * applying a change twice, or late, does nothing. What is created beyond `after` is only counted (`newer`).
 * What is in the outbox and not on the server yet is here, too. Beside Backbone's events: "window" when what is loaded
 * has changed, "newer" when what is beyond it has, "orphan" (record) when a change was refused whose object is not here.
 * To be extended, with
 *
 *   model      a LiveModel
 *   url        where pages of them are read
 *   plural     what a page calls them: "comments"
 *   changes    their events (events.js)
 *
 * Options: `bus`, `outbox`, `topic` ("Article/1"), and `place`, the attributes that all objects of the topic share.
 */
export const LiveCollection = /** @type {CollectionWith<Fields>} */ (Backbone.Collection).extend({
  /**
   * @param {unknown} _models
   * @param {Parley.CollectionOptions} options
   */
  preinitialize(_models, { bus, outbox, topic, place }) {
    Object.assign(this, { bus, outbox, topic, place });
    this.type = this.model.prototype.type;
    this.before = null;
    this.after = null;
    this.newer = new Map(); // id → created_seq of what came beyond the window
    this.tombstones = new Tombstones();
    this.partials = new Partials();
    this.snapshots = new Snapshots(this);
    this.on("add", (model) => model.stand(outbox.find(this.type, model.id)));
    this.on("change:created_seq", () => this.sort());
    this.listenTo(bus, this.changes.created, this.upsert);
    this.listenTo(bus, this.changes.updated, this.upsert);
    this.listenTo(bus, this.changes.destroyed, this.bury);
    this.listenTo(bus, STREAM_RESET, this.restart);
    this.listenTo(outbox, SERVER_STATE, this.answered);
    this.listenTo(outbox, RECORD_CHANGED, this.stood);
  },

  // In the order of creation, and what is not sent yet last.
  comparator(one, other) {
    const [a, b] = [one, other].map((model) => model.get("created_seq") ?? Infinity);
    return a === b ? 0 : a - b;
  },

  /** A new object: here at once, on the server as soon as it can. Null when too much waits already. */
  create(attributes) {
    if (this.outbox.isFull()) return null;
    const model = this.add({ id: uuid(), ...this.place, ...attributes });
    model.save();
    return model;
  },

  // What the server has not been sent yet.
  draw(record) {
    const { act, doomed, draft, attrs } = record;
    if (act !== "create" || doomed || !this.concerns(record) || this.get(draft.id)) return;
    this.add({ ...draft, ...attrs });
  },

  // Is this record of an object of ours?
  concerns({ type, draft }) {
    return type === this.type && this.isOurs(draft);
  },

  // -- what the stream brings

  upsert(state) {
    if (!this.isOurs(state)) return;
    this.snapshots.saw(state);
    if (this.model.prototype.isPartial(state)) this.mergePartial(state);
    else this.merge(state);
  },

  // If the object is not here, the state is remembered: a response on its way may contain an older state of the object.
  mergePartial(state) {
    const known = this.get(state.id);
    if (known && !known.isNew()) known.absorb(state);
    else if (!this.tombstones.covers(state)) this.partials.remember(state);
  },

  set(models, options) {
    const states = Array.isArray(models)
      ? models.map((state) => this.partials.complete(state))
      : this.partials.complete(models);
    return Backbone.Collection.prototype.set.call(this, states, options);
  },

  merge(state) {
    const known = this.get(state.id);
    if (known) known.absorb(state);
    else if (this.belongs(state)) this.add(state);
    else if (this.isBeyond(state)) this.tally(state, true);
    if (!this.tombstones.covers(state)) this.outbox.receive(this.type, state);
  },

  isOurs(state) {
    return _.isMatch(state, this.place);
  },

  // Not a state from before its deletion, and inside the loaded window.
  belongs(state) {
    return !this.tombstones.covers(state) && this.isInside(state);
  },

  isInside({ created_seq: seq }) {
    const { before, after } = this;
    return (before === null || seq >= before) && (after === null || seq <= after);
  },

  // Later than what is loaded, and there.
  isBeyond(state) {
    const isLater = this.after !== null && state.created_seq > this.after;
    return isLater && !this.tombstones.covers(state);
  },

  tally({ id, created_seq: seq }, isThere) {
    if (isThere && this.newer.size < MOST_NEWER) this.newer.set(id, seq);
    if (!isThere) this.newer.delete(id);
    this.trigger(NEWER_CHANGED, this);
  },

  bury(state) {
    if (!this.isOurs(state)) return;
    const known = this.get(state.id);
    this.tombstones.bury(state.id, state.seq);
    if (this.newer.has(state.id)) this.tally(state, false);
    if ((known?.get("seq") ?? -1) > state.seq) return;
    this.outbox.receiveDeletion(this.type, state.id, state.seq);
    if (known) this.vanish(known);
  },

  // Where it is wanted again meanwhile it is here again, as one that is not sent yet.
  vanish(known) {
    this.remove(known);
    const record = this.outbox.find(this.type, known.id);
    if (record) this.draw(record);
  },

  // -- what the outbox has heard, here or in another tab

  answered(type, state) {
    if (type !== this.type) return;
    if (state.deleted) this.deleted(state);
    else if (this.isOurs(state)) this.upsert(state);
  },

  // What never comes back needs no seq: the stream brings that later.
  deleted({ id, seq = Number.POSITIVE_INFINITY }) {
    const known = this.get(id);
    if (Number.isFinite(seq) || (known && !known.isNew())) this.tombstones.bury(id, seq);
    if (known && !(known.get("seq") > seq)) this.vanish(known);
  },

  stood(type, key, record) {
    if (type !== this.type) return;
    const known = this.get(key);
    if (known) known.stand(record);
    else if (record) this.draw(record);
    if (known?.isNew() && record === null) this.remove(known); // nobody wants it any more
    if (!this.get(key) && record) this.orphan(record);
  },

  // A change that was refused, of an object that is no more, or not loaded. Somebody should say what becomes of it.
  orphan(record) {
    const isOrphan = record.problem && record.act === "update" && this.concerns(record);
    if (isOrphan) this.trigger(EDIT_ORPHANED, record);
  },

  // -- what is on its way out

  /** Nothing can be undone any more, for somebody else is looking now. */
  settle() {
    for (const model of this.filter(({ leaving }) => leaving)) model.leave();
  },

  /** The page goes. What was to be deleted is asked for at once, and kept in case that is lost. */
  depart() {
    const leaving = this.filter((model) => model.leaving && !model.isNew());
    this.settle();
    for (const model of leaving)
      deleteInParting(model.url(), this.outbox.find(this.type, model.id)?.user);
  },

  // -- reading

  /** Ask the server for a page: `{before}`, `{after}`, `{around}`, or `{}` for the newest. Rejected with a Problem. */
  read(page) {
    return request("read", this, { data: { ...this.place, ...page }, headers: this.headers });
  },

  /** Take a snapshot for the whole truth; only what was not sent yet stays beside it. */
  replace(snapshot, options) {
    this.reach(snapshot.before, snapshot.after);
    const states = this.statesOf(snapshot);
    // Without `parse` a state counts even if its seq is lower: after a reset seqs may start anew.
    this.set([...states, ...this.filter((model) => model.isNew())], options);
    for (const state of states) this.outbox.receive(this.type, state);
    for (const record of this.outbox.records) this.stood(record.type, record.key, record);
    this.trigger(WINDOW_CHANGED, this);
  },

  // What of a snapshot is to be here.
  statesOf(snapshot) {
    return snapshot[this.plural].filter((state) => this.belongs(state));
  },

  /** Read again as much as there is, and show that. Answers with the snapshot. */
  async refetch() {
    const { before, after, snapshots } = this;
    this.tombstones.clear();
    this.partials.clear();
    this.newer.clear();
    const isAtTheEnd = after === null;
    const snapshot = await (isAtTheEnd
      ? snapshots.newest(this.length)
      : snapshots.between(before, after));
    this.replace(snapshot);
    return snapshot;
  },

  // What a person asks for comes with the option `asked`. Each of these is rejected with a Problem.

  /** Extend the window by the page before it; not while another read is under way. */
  async loadEarlier() {
    if (this.snapshots.reading) return;
    const snapshot = await this.snapshots.page({ before: this.before });
    this.extend(snapshot, snapshot.before, this.after);
  },

  /** The same, by the page after it. */
  async loadLater() {
    if (this.snapshots.reading) return;
    const snapshot = await this.snapshots.page({ after: this.after });
    this.extend(snapshot, this.before, snapshot.after);
  },

  /** Have the window that has this object in its midst, or where it was. */
  async loadAround(id) {
    await this.show({ around: id });
  },

  /** Have the newest ones again, as when the page was opened. */
  async loadNewest() {
    await this.show({});
  },

  async show(which) {
    await this.snapshots.free(); // somebody waits for what is being read
    this.replace(await this.snapshots.page(which), { asked: true });
  },

  extend(snapshot, before, after) {
    this.reach(before, after);
    this.add(this.statesOf(snapshot), { merge: true, parse: true, asked: true });
    this.trigger(WINDOW_CHANGED, this);
  },

  reach(before, after = null) {
    Object.assign(this, { before, after });
    for (const [id, seq] of this.newer) {
      if (after === null || seq <= after) this.newer.delete(id);
    }
  },

  // The stream goes on from the head by itself; only what lies behind is to be read again.
  restart({ topics }) {
    if (topics.includes(this.topic)) this.refetch();
  },
});
