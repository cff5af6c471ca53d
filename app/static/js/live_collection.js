import { STREAM_RESET } from "./events.js";
import { Snapshots } from "./snapshots.js";
import { Tombstones } from "./tombstones.js";
import { uuid } from "./uuid.js";

/**
 * The live objects of one topic, as far as they are loaded: the window from `before` on, or all of them when
 * `before` is null. What the stream says is merged in by id; applying a change twice, or late, does nothing.
 * What is in the outbox and not on the server yet is here, too. Beside Backbone's events: "window" when what is loaded
 * has changed, "orphan" (record) when a change was refused whose object is not here. To be extended, with
 *
 *   model      a LiveModel
 *   url        where pages of them are read
 *   plural     what a page calls them: "comments"
 *   changes    their events (events.js)
 *
 * Options: `bus`, `outbox`, `topic` ("Article/1"), and `place`, the attributes that all objects of the topic share.
 */
export const LiveCollection = Backbone.Collection.extend({
  preinitialize(_models, { bus, outbox, topic, place }) {
    Object.assign(this, { bus, outbox, topic, place });
    this.type = this.model.prototype.type;
    this.before = null;
    this.tombstones = new Tombstones();
    this.snapshots = new Snapshots(this);
    this.on("add", (model) => model.stand(outbox.find(model.id)));
    this.on("change:created_seq", () => this.sort());
    this.listenTo(bus, this.changes.created, this.upsert);
    this.listenTo(bus, this.changes.updated, this.upsert);
    this.listenTo(bus, this.changes.destroyed, this.bury);
    this.listenTo(bus, STREAM_RESET, this.restart);
    this.listenTo(outbox, "state", this.answered);
    this.listenTo(outbox, "record", this.stood);
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
    this.merge(state);
  },

  merge(state) {
    const known = this.get(state.id);
    if (known) known.absorb(state);
    else if (this.belongs(state)) this.add(state);
    this.outbox.see(this.type, state);
  },

  isOurs(state) {
    return _.isMatch(state, this.place);
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
    if ((known?.get("seq") ?? -1) > state.seq) return;
    this.outbox.bury(this.type, state.id);
    if (known) this.remove(known);
  },

  // -- what the outbox has heard, here or in another tab

  answered(type, state) {
    if (type !== this.type) return;
    if (state.deleted) this.deleted(state);
    else if (this.isOurs(state)) this.upsert(state);
  },

  // Without a seq: the stream brings that later.
  deleted({ id }) {
    const known = this.get(id);
    if (known && !known.isNew()) this.tombstones.bury(id, Number.POSITIVE_INFINITY);
    if (known) this.remove(known);
  },

  stood(key, record) {
    const known = this.get(key);
    if (known) known.stand(record);
    else if (record) this.draw(record);
    if (known?.isNew() && record === null) this.remove(known); // nobody wants it any more
    if (!this.get(key) && record) this.orphan(record);
  },

  // A change that was refused, of an object that is no more, or not loaded. Somebody should say what becomes of it.
  orphan(record) {
    const isOrphan = record.problem && record.act === "update" && this.concerns(record);
    if (isOrphan) this.trigger("orphan", record);
  },

  // -- reading

  /** Take a snapshot for the whole truth; only what was not sent yet stays beside it. */
  replace(snapshot) {
    this.before = snapshot.before;
    const states = snapshot[this.plural].filter((state) => this.belongs(state));
    // Without `parse` a state counts even if its seq is lower: after a reset seqs may start anew.
    this.set([...states, ...this.filter((model) => model.isNew())]);
    for (const state of states) this.outbox.see(this.type, state);
    for (const record of this.outbox.records) this.stood(record.key, record);
    this.trigger("window", this);
  },

  /** Read again as much as there is, and show that. Answers with the snapshot. */
  async refetch() {
    this.tombstones.clear();
    const snapshot = await this.snapshots.newest(this.length);
    this.replace(snapshot);
    return snapshot;
  },

  /** Extend the window by the page before it; not while another read is under way. Rejected with a Problem. */
  async loadEarlier() {
    if (this.snapshots.reading) return;
    const snapshot = await this.snapshots.earlier(this.before);
    this.extend(snapshot, snapshot.before);
  },

  extend(snapshot, before) {
    this.before = before;
    const states = snapshot[this.plural].filter((state) => this.belongs(state));
    this.add(states, { merge: true, parse: true });
    this.trigger("window", this);
  },

  // The stream goes on from the head by itself; only what lies behind is to be read again.
  restart({ topics }) {
    if (topics.includes(this.topic)) this.refetch();
  },
});
