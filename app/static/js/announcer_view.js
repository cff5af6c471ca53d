import { ANNOUNCEMENT } from "./events.js";

const PAUSE_MS = 700;
const MOST = 3;

/** Says to screen readers what happened, apart from the list, and not every word of a lively thread. */
export const AnnouncerView = Backbone.View.extend({
  initialize({ bus }) {
    this.sentences = [];
    this.timer = 0;
    this.listenTo(bus, ANNOUNCEMENT, this.collect);
  },

  collect(sentence) {
    this.sentences.push(sentence);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(), PAUSE_MS);
  },

  say() {
    const rest = this.sentences.length - MOST;
    const more = rest > 0 ? [`And ${rest} more.`] : [];
    this.el.textContent = [...this.sentences.slice(0, MOST), ...more].join(" ");
    this.sentences = [];
  },
});
