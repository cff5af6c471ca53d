import { ANNOUNCEMENT, COMMENTS_ARRIVED } from "../core/events.js";
import { ComponentView } from "./component_view.js";
import { isolated } from "./isolated.js";

const DELAY_MS = 700;
const ARRIVALS_INTERVAL_MS = 5_000; // in a busy thread, new comments are announced together
const MAX_SENTENCES = 3; // in one announcement

/** @typedef {{ sentences: string[], arrived: number, by: string, timer: number, quietUntil: number }} Fields */

/** The live region for screen readers. It announces results of actions, and new comments. */
export const AnnouncerView = ComponentView.extend({
  sentences: /** @type {string[]} */ ([]), // not announced yet
  arrived: 0, // new comments that are not announced yet
  by: "", // the author of the newest one
  timer: 0,
  quietUntil: 0,

  initialize() {
    this.listenTo(this.bus, ANNOUNCEMENT, this.addSentence);
    this.listenTo(this.bus, COMMENTS_ARRIVED, this.addArrivals);
  },

  addSentence(sentence) {
    this.sentences = [...this.sentences, sentence];
    this.schedule(DELAY_MS);
  },

  addArrivals(n, by) {
    this.arrived += n;
    this.by = by;
    if (this.timer === 0) this.schedule(Math.max(DELAY_MS, this.quietUntil - Date.now()));
  },

  schedule(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.announceAll(), ms);
  },

  announceAll() {
    this.timer = 0;
    const rest = this.sentences.length - MAX_SENTENCES;
    const more = rest > 0 ? [`and ${rest} more`] : [];
    const sentences = [
      ...this.sentences.slice(0, MAX_SENTENCES),
      ...more,
      ...this.arrivalSentences(),
    ];
    this.el.textContent = sentences.join(" ");
    this.sentences = [];
  },

  arrivalSentences() {
    if (this.arrived === 0) return [];
    const words =
      this.arrived === 1 ? `New comment by ${isolated(this.by)}.` : `${this.arrived} new comments.`;
    this.arrived = 0;
    this.quietUntil = Date.now() + ARRIVALS_INTERVAL_MS;
    return [words];
  },
});
