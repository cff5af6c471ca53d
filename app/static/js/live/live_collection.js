import {
  EDIT_ORPHANED,
  NEWER_CHANGED,
  RECORD_CHANGED,
  SERVER_STATE,
  STREAM_RESET,
  WINDOW_CHANGED,
} from "../core/events.js";
import { deleteAtUnload, request } from "../core/sync.js";
import { uuid } from "../core/uuid.js";
import { Partials } from "./partials.js";
import { emptySnapshot, Snapshots } from "./snapshots.js";
import { Tombstones } from "./tombstones.js";

const MAX_NEWER = 1_000; // counted objects beyond the window

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
 *   newer: Map<string, number>,
 *   tombstones: import("./tombstones.js").Tombstones,
 *   partials: import("./partials.js").Partials,
 *   snapshots: import("./snapshots.js").Snapshots,
 *   headers: Record<string, string> | undefined,
 *   undoMs?: number,
 * }} Fields
 */

/**
 * The loaded live objects of one topic. `before` and `after` (each a `created_seq`, or null) bound the loaded *window*:
 * it begins at the first object if `before` is null, and ends at the live end if `after` is null. Changes from the
 * stream are merged by id; a change that arrives twice or late has no effect. Objects that are created beyond `after`
 * are only counted (`newer`). Unsent objects of the outbox are in the collection, too. In addition to Backbone's
 * events, it triggers WINDOW_CHANGED, NEWER_CHANGED and EDIT_ORPHANED (record). Subclasses define
 *
 *   model      a LiveModel
 *   url        the address of its pages
 *   plural     the member of a page that has the objects: "comments"
 *   changes    the events of the model (events.js)
 *
 * Options: `bus`, `outbox`, `topic` ("Article/1"), and `place`, the attributes that all objects of the topic share.
 */
export const LiveCollection = /** @type {CollectionWith<Fields>} */ (Backbone.Collection).extend({
  before: /** @type {number | null} */ (null),
  after: /** @type {number | null} */ (null),

  /** @type {(models: unknown, options: Parley.CollectionOptions) => void} */
  preinitialize(_models, { bus, outbox, topic, place }) {
    Object.assign(this, { bus, outbox, topic, place });
    this.type = this.model.prototype.type;
    this.newer = new Map(); // id → created_seq of each object beyond the window
    this.tombstones = new Tombstones();
    this.partials = new Partials();
    this.snapshots = new Snapshots(this);
    this.on("add", (model) => model.setRecord(outbox.find(this.type, model.id)));
    this.on("change:created_seq", () => this.sort());
    this.listenTo(bus, this.changes.created, this.upsert);
    this.listenTo(bus, this.changes.updated, this.upsert);
    this.listenTo(bus, this.changes.destroyed, this.applyDeletion);
    this.listenTo(bus, STREAM_RESET, this.handleReset);
    this.listenTo(outbox, SERVER_STATE, this.applyServerState);
    this.listenTo(outbox, RECORD_CHANGED, this.applyRecord);
  },

  // In the order of creation; unsent objects are last.
  comparator(one, other) {
    const [a, b] = [one, other].map((model) => model.get("created_seq") ?? Infinity);
    return a === b ? 0 : a - b;
  },

  /** Add a new object, and send it as soon as possible. Returns null if the outbox is full. */
  create(attributes) {
    if (this.outbox.isFull()) return null;
    const model = this.add({ id: uuid(), ...this.place, ...attributes });
    model.save();
    return model;
  },

  // Add the object of a record that is not confirmed yet.
  addUnsent(record) {
    const { act, doomed, draft, attrs } = record;
    if (act !== "create" || doomed || !this.isOurRecord(record) || this.get(draft.id)) return;
    this.add({ ...draft, ...attrs });
  },

  isOurRecord({ type, draft }) {
    return type === this.type && this.isOurs(draft);
  },

  // -- changes from the stream

  upsert(state) {
    if (!this.isOurs(state)) return;
    this.snapshots.receive(state);
    if (this.model.prototype.isPartial(state)) this.mergePartial(state);
    else this.merge(state);
  },

  // If the object is not here, the state is remembered: a response on its way may contain an older state of the object.
  mergePartial(state) {
    const known = this.get(state.id);
    if (known && !known.isNew()) known.merge(state);
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
    if (known) known.merge(state);
    else if (this.belongs(state)) this.add(state);
    else if (this.isBeyond(state)) this.countNewer(state, true);
    if (!this.tombstones.covers(state)) this.outbox.receive(this.type, state);
  },

  isOurs(state) {
    return _.isMatch(state, this.place);
  },

  // Whether the object is in the loaded window, and the state is not from before its deletion.
  belongs(state) {
    return !this.tombstones.covers(state) && this.isInside(state);
  },

  isInside({ created_seq: seq }) {
    const { before, after } = this;
    return (before === null || seq >= before) && (after === null || seq <= after);
  },

  // Whether the object exists, and is beyond the window.
  isBeyond(state) {
    const isLater = this.after !== null && state.created_seq > this.after;
    return isLater && !this.tombstones.covers(state);
  },

  countNewer({ id, created_seq: seq }, exists) {
    if (exists && this.newer.size < MAX_NEWER) this.newer.set(id, seq);
    if (!exists) this.newer.delete(id);
    this.trigger(NEWER_CHANGED, this);
  },

  applyDeletion(state) {
    if (!this.isOurs(state)) return;
    const known = this.get(state.id);
    this.tombstones.add(state.id, state.seq);
    if (this.newer.has(state.id)) this.countNewer(state, false);
    if ((known?.get("seq") ?? -1) > state.seq) return;
    this.outbox.receiveDeletion(this.type, state.id, state.seq);
    if (known) this.removeDeleted(known);
  },

  // If the person wants the object again, it comes back as an unsent one.
  removeDeleted(known) {
    this.remove(known);
    const record = this.outbox.find(this.type, known.id);
    if (record) this.addUnsent(record);
  },

  // -- changes from the outbox, of this or another tab

  applyServerState(type, state) {
    if (type !== this.type) return;
    if (state.deleted) this.applyDeletionResponse(state);
    else if (this.isOurs(state)) this.upsert(state);
  },

  // An object that cannot be created again needs no seq; the stream delivers the seq later.
  applyDeletionResponse({ id, seq = Number.POSITIVE_INFINITY }) {
    const known = this.get(id);
    if (Number.isFinite(seq) || (known && !known.isNew())) this.tombstones.add(id, seq);
    if (known && !(known.get("seq") > seq)) this.removeDeleted(known);
  },

  applyRecord(type, key, record) {
    if (type !== this.type) return;
    const known = this.get(key);
    if (known) known.setRecord(record);
    else if (record) this.addUnsent(record);
    if (known?.isNew() && record === null) this.remove(known); // the creation was discarded
    if (!this.get(key) && record) this.reportOrphan(record);
  },

  // A refused change whose object is deleted or not loaded: a view has to show the text to its author.
  reportOrphan(record) {
    const isOrphan = record.problem && record.act === "update" && this.isOurRecord(record);
    if (isOrphan) this.trigger(EDIT_ORPHANED, record);
  },

  // -- deletions that can still be undone

  /** Delete the objects now, because another person uses the page. */
  endUndo() {
    for (const model of this.filter(({ deletionTimer }) => deletionTimer)) model.removeNow();
  },

  /** The page is closed. The requests are sent at once; the outbox has the deletions in case a request is lost. */
  handlePageHide() {
    const removed = this.filter((model) => model.deletionTimer && !model.isNew());
    this.endUndo();
    for (const model of removed)
      deleteAtUnload(model.url(), this.outbox.find(this.type, model.id)?.user);
  },

  // -- reading

  /** Read a page: `{before}`, `{after}`, `{around}`, or `{}` for the newest. Rejected with a Problem. */
  read(page) {
    return request("read", this, { data: { ...this.place, ...page }, headers: this.headers });
  },

  /** Replace all objects by those of a snapshot. Only unsent objects stay. */
  replace(snapshot, options) {
    this.setWindow(snapshot.before, snapshot.after);
    const states = this.statesOf(snapshot);
    // Without `parse`, a state is set even if its seq is lower: after a reset, seqs may start again.
    this.set([...states, ...this.filter((model) => model.isNew())], options);
    for (const state of states) this.outbox.receive(this.type, state);
    for (const record of this.outbox.records) this.applyRecord(record.type, record.key, record);
    this.trigger(WINDOW_CHANGED, this);
  },

  // The states of a snapshot that are to be loaded.
  statesOf(snapshot) {
    return snapshot[this.plural].filter((state) => this.belongs(state));
  },

  /** Another account (an id, or null) uses the page, or is about to. `refetch` follows. */
  setUser(_user) {},

  /** Whether the server sends it to this account. Otherwise it is empty. */
  isReadable() {
    return true;
  },

  /** Read the loaded window again, and replace it. Returns the snapshot. */
  async refetch() {
    this.tombstones.clear();
    this.partials.clear();
    this.newer.clear();
    const snapshot = this.isReadable() ? await this.readWindow() : emptySnapshot(this);
    this.replace(snapshot);
    return snapshot;
  },

  readWindow() {
    const { before, after, snapshots } = this;
    return after === null ? snapshots.newest(this.length) : snapshots.between(before, after);
  },

  // Reads on behalf of a person. The events have the option `asked`. Each promise is rejected with a Problem.

  /** Extend the window by the page before it, unless another read is in progress. */
  async loadEarlier() {
    if (this.snapshots.reading) return;
    const snapshot = await this.snapshots.page({ before: this.before });
    this.extendWindow(snapshot, snapshot.before, this.after);
  },

  /** The same, by the page after it. */
  async loadLater() {
    if (this.snapshots.reading) return;
    const snapshot = await this.snapshots.page({ after: this.after });
    this.extendWindow(snapshot, this.before, snapshot.after);
  },

  /** Load another window: the one around this object or its former place (`{around}`), or the newest (`{}`). */
  async loadWindow(which) {
    await this.snapshots.whenIdle(); // a new read would cancel the current one
    this.replace(await this.snapshots.page(which), { asked: true });
  },

  extendWindow(snapshot, before, after) {
    this.setWindow(before, after);
    this.add(this.statesOf(snapshot), { merge: true, parse: true, asked: true });
    this.trigger(WINDOW_CHANGED, this);
  },

  setWindow(before, after = null) {
    Object.assign(this, { before, after });
    for (const [id, seq] of this.newer) {
      if (after === null || seq <= after) this.newer.delete(id);
    }
  },

  // The stream continues from the head by itself; only the loaded window has to be read again.
  handleReset({ topics }) {
    if (topics.includes(this.topic)) this.refetch();
  },
});
