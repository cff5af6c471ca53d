import {
  CHANGE_REFUSED,
  COMMENTS_ARRIVED,
  OUTBOX_CHANGED,
  OUTBOX_VOLATILE,
  STREAM_STATE,
} from "../core/events.js";

const PATIENCE_MS = 3_000; // being away for less is a hiccup, of which nobody needs to read
const BACK_MS = 5_000;
const SLOW_MS = 5_000; // a change takes longer than it should, although there is a connection

const HERE = ["live", "polling"];
const AWAY = ["reconnecting", "offline"];
const NOWHERE = ["idle", "signed-out"];

/** @typedef {{ timers: Record<string, number>, refused: number | null, is: Record<string, boolean> }} Fields */

/**
 * How the connection is, as far as a person should care.
 *
 *   state      the connector's
 *   says       nothing | reconnecting | offline | back | slow | refused
 *   arrived    how many comments by others came while we were away
 *   waiting    how many changes the server has not confirmed
 *   volatile   whether those are lost with the page
 */
export const ConnectionStatus = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  defaults: { state: "idle", says: "nothing", arrived: 0, waiting: 0, volatile: false },

  initialize(_, { bus }) {
    this.timers = {};
    this.refused = null;
    this.is = { late: false, back: false, slow: false, refused: false };
    this.listenTo(bus, STREAM_STATE, this.turn);
    this.listenTo(bus, OUTBOX_CHANGED, this.count);
    this.listenTo(bus, OUTBOX_VOLATILE, () => this.set({ volatile: true }));
    this.listenTo(bus, COMMENTS_ARRIVED, this.welcome);
  },

  turn(state) {
    const wasHere = this.isHere();
    this.set({ state });
    if (AWAY.includes(state)) this.leave(wasHere);
    else if (NOWHERE.includes(state)) this.rest();
    else if (this.isHere() && !wasHere) this.arrive();
    this.judge();
  },

  leave(wasHere) {
    if (wasHere) this.set({ arrived: 0 });
    this.end("back");
    this.end("slow");
    if (!this.timers.late && !this.is.late) this.soon("late", PATIENCE_MS);
  },

  arrive() {
    this.end("late");
    if (AWAY.includes(this.get("says"))) this.begin("back", BACK_MS);
    this.hurry();
  },

  rest() {
    for (const name of ["late", "back", "slow"]) this.end(name);
    this.set({ arrived: 0 });
  },

  // Those that came while we were away are new to the person; a refetch may bring some a little later.
  welcome(n) {
    const news = !this.isHere() || this.is.back;
    if (news) this.set({ arrived: this.get("arrived") + n });
  },

  count({ waiting, refused }) {
    this.set({ waiting });
    this.hurry();
    // What had been refused before this page came is told where it stands.
    if (refused > (this.refused ?? refused)) this.trigger(CHANGE_REFUSED);
    if (refused === 0) this.end("refused");
    this.refused = refused;
    this.judge();
  },

  // It is slow when nothing has moved for a while, not when there is much.
  hurry() {
    if (this.get("waiting") === 0 || !this.isHere()) this.end("slow");
    else if (!this.is.slow) this.soon("slow", SLOW_MS);
  },

  /** Show that a change was refused, until the person has seen it. */
  complain() {
    this.is.refused = (this.refused ?? 0) > 0;
    this.judge();
  },

  calm() {
    this.end("refused");
    this.judge();
  },

  judge() {
    this.set({ says: this.whatToSay() });
  },

  whatToSay() {
    const { state, says } = this.attributes;
    if (NOWHERE.includes(state)) return "nothing";
    if (AWAY.includes(state)) return this.is.late ? state : "nothing";
    // Neither away nor back: what was said of being away still holds.
    if (!this.isHere()) return AWAY.includes(says) ? says : "nothing";
    return ["back", "slow", "refused"].find((name) => this.is[name]) ?? "nothing";
  },

  isHere() {
    return HERE.includes(this.get("state"));
  },

  // What holds for a time, or after a time

  soon(name, ms) {
    this.later(name, ms, true);
  },

  begin(name, ms) {
    this.is[name] = true;
    this.later(name, ms, false);
  },

  end(name) {
    clearTimeout(this.timers[name]);
    this.timers[name] = 0;
    this.is[name] = false;
  },

  later(name, ms, value) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => {
      this.timers[name] = 0;
      this.is[name] = value;
      this.judge();
    }, ms);
  },
});
