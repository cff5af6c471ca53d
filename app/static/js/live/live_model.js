import { CHANGE_REFUSED, SAVE_STATE_CHANGED } from "../core/events.js";

/** @typedef {{ outbox: Parley.Outbox, collection: any, urlRoot: string }} Fields */

/**
 * An object that lives on the server and in every browser that looks at it. To be extended, with
 *
 *   type       its name on the wire: "comment"
 *   urlRoot    "/api/comments/"
 *   address    () where this one is put and deleted, as often as one likes; null where it is created once
 *   isPartial  (state) whether a state from the stream has only the members that changed
 *   writable   the attributes that this browser may write
 *
 * Its attributes are always the server's last known state (or, unsent, the draft). What the person wants and the
 * server has not confirmed is a record of the outbox (outbox_rules.js), and lies beside them:
 *
 *   pending    {act: "create" | "update" | "destroy", …attrs, tries} while it is on its way, else null
 *   refusal    {act, …attrs, base, problem} after a refused one, until somebody does something about it, else null
 *
 * So an optimistic change needs no undoing, and a change by others in between is not painted over. Beside
 * Backbone's events: "standing" whenever either changes, "refused" (model, problem).
 */
export const LiveModel = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  type: "",
  writable: /** @type {string[]} */ ([]),
  address: () => /** @type {string | null} */ (null),
  isPartial: (/** @type {Parley.State} */ _state) => false,
  record: /** @type {Parley.Record | null} */ (null),
  leaving: 0, // a timer, while it is to be deleted and that can be undone
  pending: /** @type {Parley.Pending | null} */ (null),
  refusal: /** @type {Parley.Refusal | null} */ (null),

  preinitialize(_attributes, { collection = /** @type {any} */ (null) } = {}) {
    this.outbox = collection?.outbox;
  },

  // The id is ours from the start, so it says nothing; `created_seq` only the server gives.
  isNew() {
    return !this.has("created_seq");
  },

  /** "settled", "sending", "saving", "deleting" or "refused". */
  state() {
    if (this.leaving) return "deleting";
    if (this.pending) return STATES[this.pending.act];
    return this.refusal ? "refused" : "settled";
  },

  /** What to show of this attribute: what the person wants it to be. */
  shown(name) {
    return this.pending?.[name] ?? this.get(name);
  },

  /** What somebody sees who begins to change it now: {seq, …writable}. */
  seen() {
    const shown = this.writable.map((name) => [name, this.shown(name)]);
    return { seq: this.get("seq"), ...Object.fromEntries(shown) };
  },

  /** Change these attributes, as they were `seen`, provided that they have not changed since. */
  change(attributes, seen = {}) {
    const { seq, ...attrs } = { ...this.seen(), ...seen };
    this.save(attributes, { patch: true, wait: true, base: { seq, attrs } });
  },

  /** Delete it on the server. One that is gone already is as good as deleted. */
  remove() {
    if (this.isNew()) this.want("destroy", {});
    else this.destroy({ wait: true });
  },

  /** The same in so many milliseconds, unless it is undone. From now on it is out of sight. */
  removeIn(ms) {
    if (ms === 0) return this.remove();
    clearTimeout(this.leaving);
    this.leaving = setTimeout(() => this.leave(), ms);
    this.once("remove", this.stay);
    this.trigger(SAVE_STATE_CHANGED, this);
  },

  /** It cannot be undone any more. Until now nobody but this page knew of it. */
  leave() {
    this.stay();
    this.remove();
    this.trigger(SAVE_STATE_CHANGED, this);
  },

  undo() {
    this.stay();
    this.trigger(SAVE_STATE_CHANGED, this);
  },

  stay() {
    clearTimeout(this.leaving);
    this.leaving = 0;
    this.off("remove", this.stay);
  },

  /** Try again what was refused. */
  retry() {
    this.outbox.retry(this.type, this.id);
  },

  /** Forget what was refused, or has not been sent. */
  discard() {
    this.outbox.discard(this.type, this.id);
  },

  // Backbone's door to the server. Reading goes straight through; what is written waits in the outbox.
  sync(method, model, options) {
    if (method === "read") return Backbone.sync(method, model, options);
    const wanted = this.want(ACTS[method], options);
    model.trigger("request", model, wanted, options);
    wanted.then(options.success, options.error);
    return wanted;
  },

  /**
   * @param {Parley.Act} act
   * @param {{ attrs?: Parley.Attributes, base?: Parley.Base | null }} options
   */
  want(act, { attrs, base = null }) {
    const wanted = act === "destroy" ? {} : _.pick(attrs ?? this.attributes, this.writable);
    const { type, id } = this;
    const root = _.result(this, "urlRoot");
    const address = this.address();
    const draft = this.draft();
    return this.outbox.add({ key: id, type, root, address, act, attrs: wanted, draft, base });
  },

  // What another page is to show of it before the server has it.
  draft() {
    return this.toJSON();
  },

  /** Take over a state that the server has, unless ours is newer. */
  absorb(state) {
    if (this.isOlderThan(state)) this.set(state);
  },

  // Backbone calls this with the answer to a request, which the stream may have overtaken.
  parse(state) {
    return state && this.isOlderThan(state) ? state : this.attributes;
  },

  isOlderThan(state) {
    return state.seq > (this.get("seq") ?? -1);
  },

  /** This is what the outbox holds of it now, or null. */
  stand(record) {
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
