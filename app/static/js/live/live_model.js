import { CHANGE_REFUSED, SAVE_STATE_CHANGED } from "../core/events.js";

/** @typedef {{ outbox: Parley.Outbox, collection: any, urlRoot: string }} Fields */

/**
 * An object that is on the server and in each browser that shows it. Subclasses define
 *
 *   type       its name on the wire: "comment"
 *   urlRoot    "/api/comments/"
 *   address    () a path to PUT and DELETE this object at, any number of times; null if it is created once
 *   isPartial  (state) whether a state from the stream has only the members that changed
 *   writable   the attributes that this browser may write
 *
 * Its attributes are always the server's last known state (the draft, if the object is unsent). A change that the
 * server has not confirmed is a record of the outbox (outbox_rules.js). The model has it beside its attributes:
 *
 *   pending    {act: "create" | "update" | "destroy", …attrs, tries} while it waits for confirmation, else null
 *   refusal    {act, …attrs, base, problem} after the server refused it, until the person reacts, else null
 *
 * So a refused change need not be undone, and a change by other people in between stays visible. In addition to
 * Backbone's events, it triggers SAVE_STATE_CHANGED when `pending` or `refusal` changes, and CHANGE_REFUSED (model,
 * problem).
 */
export const LiveModel = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  type: "",
  writable: /** @type {string[]} */ ([]),
  address: () => /** @type {string | null} */ (null),
  isPartial: (/** @type {Parley.State} */ _state) => false,
  record: /** @type {Parley.Record | null} */ (null),
  deletionTimer: 0, // set while its deletion can be undone
  pending: /** @type {Parley.Pending | null} */ (null),
  refusal: /** @type {Parley.Refusal | null} */ (null),

  preinitialize(_attributes, { collection = /** @type {any} */ (null) } = {}) {
    this.outbox = collection?.outbox;
  },

  // The browser generates the id, so a new object has one, too. Only the server sets `created_seq`.
  isNew() {
    return !this.has("created_seq");
  },

  /** "settled", "sending", "saving", "deleting" or "refused". */
  state() {
    if (this.deletionTimer) return "deleting";
    if (this.pending) return STATES[this.pending.act];
    return this.refusal ? "refused" : "settled";
  },

  /** The value of this attribute to show: with the unconfirmed change, if there is one. */
  shown(name) {
    return this.pending?.[name] ?? this.get(name);
  },

  /** The state that a person sees who begins to change it now: {seq, …writable}. */
  seen() {
    const shown = this.writable.map((name) => [name, this.shown(name)]);
    return { seq: this.get("seq"), ...Object.fromEntries(shown) };
  },

  /** Change these attributes, provided that they have not changed since they were `seen`. */
  change(attributes, seen = {}) {
    const { seq, ...attrs } = { ...this.seen(), ...seen };
    this.save(attributes, { patch: true, wait: true, base: { seq, attrs } });
  },

  /** Delete it on the server. If it is deleted already, this succeeds. */
  remove() {
    if (this.isNew()) this.addChange("destroy", {});
    else this.destroy({ wait: true });
  },

  /** Delete it after so many milliseconds, unless `undo` is called. Until then its state is "deleting". */
  removeLater(ms) {
    if (ms === 0) return this.remove();
    clearTimeout(this.deletionTimer);
    this.deletionTimer = setTimeout(() => this.removeNow(), ms);
    this.once("remove", this.cancelRemoval);
    this.trigger(SAVE_STATE_CHANGED, this);
  },

  /** End the time for `undo`. Only now the deletion leaves this page. */
  removeNow() {
    this.cancelRemoval();
    this.remove();
    this.trigger(SAVE_STATE_CHANGED, this);
  },

  undo() {
    this.cancelRemoval();
    this.trigger(SAVE_STATE_CHANGED, this);
  },

  cancelRemoval() {
    clearTimeout(this.deletionTimer);
    this.deletionTimer = 0;
    this.off("remove", this.cancelRemoval);
  },

  retry() {
    this.outbox.retry(this.type, this.id);
  },

  /** Discard the change that was refused, or that is not sent yet. */
  discard() {
    this.outbox.discard(this.type, this.id);
  },

  // Backbone calls this for each request. Reads are sent at once; writes go into the outbox.
  sync(method, model, options) {
    if (method === "read") return Backbone.sync(method, model, options);
    const confirmed = this.addChange(ACTS[method], options);
    model.trigger("request", model, confirmed, options);
    confirmed.then(options.success, options.error);
    return confirmed;
  },

  /**
   * @param {Parley.Act} act
   * @param {{ attrs?: Parley.Attributes, base?: Parley.Base | null }} options
   */
  addChange(act, { attrs, base = null }) {
    const wanted = act === "destroy" ? {} : _.pick(attrs ?? this.attributes, this.writable);
    const { type, id } = this;
    const root = _.result(this, "urlRoot");
    const address = this.address();
    const draft = this.draft();
    return this.outbox.add({ key: id, type, root, address, act, attrs: wanted, draft, base });
  },

  // The attributes with which other pages show the object before the server has it.
  draft() {
    return this.toJSON();
  },

  /** Set the server's state, unless the known state is newer. */
  merge(state) {
    if (this.isOlderThan(state)) this.set(state);
  },

  // Backbone calls this with the response to a request. The stream may have delivered a newer state before.
  parse(state) {
    return state && this.isOlderThan(state) ? state : this.attributes;
  },

  isOlderThan(state) {
    return state.seq > (this.get("seq") ?? -1);
  },

  /** Set the outbox's record of this object, or null. */
  setRecord(record) {
    const wasRefused = this.refusal !== null;
    this.record = record;
    this.pending = record && !record.problem ? pendingOf(record) : null;
    this.refusal = record?.problem ? refusalOf(record) : null;
    if (this.isNew() && record) this.set(record.attrs);
    this.trigger(SAVE_STATE_CHANGED, this);
    if (this.refusal && !wasRefused) this.trigger(CHANGE_REFUSED, this, this.refusal.problem);
  },
});

const ACTS = { create: "create", update: "update", patch: "update", delete: "destroy" };
const STATES = { create: "sending", update: "saving", destroy: "deleting" };

const pendingOf = ({ act, doomed, attrs, tries }) => ({
  ...attrs,
  act: doomed ? "destroy" : act,
  tries,
});

const refusalOf = ({ act, attrs, base, problem }) => ({
  ...attrs,
  act,
  base: base && { seq: base.seq, ...base.attrs },
  problem,
});
