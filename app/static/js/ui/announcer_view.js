import { ANNOUNCEMENT, COMMENTS_ARRIVED } from "../core/events.js";
import { isolated } from "./isolated.js";

const PAUSE_MS = 700;
const ARRIVALS_MS = 5_000; // a lively thread is not read out comment by comment
const MOST = 3;

/**
 * @typedef {{
 *   sentences: string[],
 *   arrived: number, by: string,
 *   timer: number,
 *   quietUntil: number,
 * }} Fields
 */

/** Says to screen readers what happened, apart from the list, and not every word of a lively thread. */
export const AnnouncerView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  initialize({ bus }) {
    this.sentences = [];
    this.arrived = 0;
    this.by = "";
    this.timer = 0;
    this.quietUntil = 0;
    this.listenTo(bus, ANNOUNCEMENT, this.collect);
    this.listenTo(bus, COMMENTS_ARRIVED, this.welcome);
  },

  collect(sentence) {
    this.sentences.push(sentence);
    this.soon(PAUSE_MS);
  },

  welcome(n, by) {
    this.arrived += n;
    this.by = by;
    if (this.timer === 0) this.soon(Math.max(PAUSE_MS, this.quietUntil - Date.now()));
  },

  soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(), ms);
  },

  say() {
    this.timer = 0;
    const rest = this.sentences.length - MOST;
    const more = rest > 0 ? [`and ${rest} more`] : [];
    const sentences = [...this.sentences.slice(0, MOST), ...more, ...this.arrivals()];
    this.el.textContent = sentences.join(" ");
    this.sentences = [];
  },

  arrivals() {
    if (this.arrived === 0) return [];
    const words =
      this.arrived === 1 ? `New comment by ${isolated(this.by)}.` : `${this.arrived} new comments.`;
    this.arrived = 0;
    this.quietUntil = Date.now() + ARRIVALS_MS;
    return [words];
  },
});
