import {
  CHANGE_REFUSED,
  COMMENTS_ARRIVED,
  OUTBOX_CHANGED,
  OUTBOX_VOLATILE,
  STREAM_STATE,
} from "../core/events.js";

const OUTAGE_DELAY_MS = 3_000; // a shorter outage is not shown
const BACK_MS = 5_000; // for which "Back online" is shown
const SLOW_DELAY_MS = 5_000; // without progress of the outbox, although the stream is connected

const CONNECTED = ["live", "polling"];
const DISCONNECTED = ["reconnecting", "offline"];
const CLOSED = ["idle", "signed-out"];

/**
 * @typedef {"outage" | "back" | "slow" | "refused"} Condition
 * @typedef {{
 *   timers: Partial<Record<Condition, number>>,
 *   refusedCount: number | null,
 *   active: Record<Condition, boolean>,
 * }} Fields
 */

/**
 * The state of the connection, and the notice to show about it.
 *
 *   state      of the stream (stream_states.js)
 *   notice     nothing | reconnecting | offline | back | slow | refused
 *   arrived    the number of comments by other people that came during the outage
 *   waiting    the number of changes that the server has not confirmed
 *   volatile   whether these are lost when the page closes
 *
 * A notice follows from the state and from the active conditions:
 *
 *   outage     the stream has been disconnected for OUTAGE_DELAY_MS
 *   back       it reconnected after a notice about an outage, less than BACK_MS ago
 *   slow       the outbox has made no progress for SLOW_DELAY_MS
 *   refused    a change was refused, and the person has not seen it yet
 */
export const ConnectionStatus = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  defaults: { state: "idle", notice: "nothing", arrived: 0, waiting: 0, volatile: false },

  initialize(_, { bus }) {
    this.timers = {};
    this.refusedCount = null;
    this.active = { outage: false, back: false, slow: false, refused: false };
    this.listenTo(bus, STREAM_STATE, this.setState);
    this.listenTo(bus, OUTBOX_CHANGED, this.countChanges);
    this.listenTo(bus, OUTBOX_VOLATILE, () => this.set({ volatile: true }));
    this.listenTo(bus, COMMENTS_ARRIVED, this.countArrived);
  },

  setState(state) {
    const wasConnected = this.isConnected();
    this.set({ state });
    if (DISCONNECTED.includes(state)) this.beginOutage(wasConnected);
    else if (CLOSED.includes(state)) this.reset();
    else if (this.isConnected() && !wasConnected) this.endOutage();
    this.updateNotice();
  },

  beginOutage(wasConnected) {
    if (wasConnected) this.set({ arrived: 0 });
    this.clearCondition("back");
    this.clearCondition("slow");
    if (!this.timers.outage && !this.active.outage) this.setLater("outage", OUTAGE_DELAY_MS);
  },

  endOutage() {
    this.clearCondition("outage");
    if (DISCONNECTED.includes(this.get("notice"))) {
      this.active.back = true;
      this.setLater("back", BACK_MS, false);
    }
    this.updateSlow();
  },

  reset() {
    for (const name of ["outage", "back", "slow"]) this.clearCondition(name);
    this.set({ arrived: 0 });
  },

  // Comments that came during the outage are new to the person. A refetch may bring some of them after it.
  countArrived(n) {
    if (!this.isConnected() || this.active.back) this.set({ arrived: this.get("arrived") + n });
  },

  countChanges({ waiting, refused }) {
    this.set({ waiting });
    this.updateSlow();
    // A change that was refused before this page opened is shown beside its comment only.
    if (refused > (this.refusedCount ?? refused)) this.trigger(CHANGE_REFUSED);
    if (refused === 0) this.clearCondition("refused");
    this.refusedCount = refused;
    this.updateNotice();
  },

  // The outbox is slow if its count has not changed for a while, not if the count is high.
  updateSlow() {
    if (this.get("waiting") === 0 || !this.isConnected()) this.clearCondition("slow");
    else if (!this.active.slow) this.setLater("slow", SLOW_DELAY_MS);
  },

  /** Show that a change was refused, until the person has seen it. */
  showRefusal() {
    this.active.refused = (this.refusedCount ?? 0) > 0;
    this.updateNotice();
  },

  hideRefusal() {
    this.clearCondition("refused");
    this.updateNotice();
  },

  updateNotice() {
    this.set({ notice: this.chooseNotice() });
  },

  chooseNotice() {
    const { state, notice } = this.attributes;
    if (CLOSED.includes(state)) return "nothing";
    if (DISCONNECTED.includes(state)) return this.active.outage ? state : "nothing";
    // Connecting or catching up: a notice about the outage stays.
    if (!this.isConnected()) return DISCONNECTED.includes(notice) ? notice : "nothing";
    return ["back", "slow", "refused"].find((name) => this.active[name]) ?? "nothing";
  },

  isConnected() {
    return CONNECTED.includes(this.get("state"));
  },

  // -- conditions and their timers

  clearCondition(name) {
    clearTimeout(this.timers[name]);
    this.timers[name] = 0;
    this.active[name] = false;
  },

  setLater(name, ms, value = true) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => {
      this.timers[name] = 0;
      this.active[name] = value;
      this.updateNotice();
    }, ms);
  },
});
