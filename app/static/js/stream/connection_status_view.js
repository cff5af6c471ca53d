import { ANNOUNCEMENT, CHANGE_REFUSED } from "../core/events.js";
import { bringIntoView, isVisible } from "../ui/viewport.js";

const REFUSED = '[data-state="refused"]';
const BACK = "Back online";

/** @typedef {{ bus: Backbone.Events, said: Set<string> }} Fields */

/** The connection light: a dot, and words that float where they move nothing, only while there is something to say. */
export const ConnectionStatusView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { "click .light__show": "show" },

  initialize({ bus }) {
    this.bus = bus;
    this.said = new Set();
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.model, "change:says", this.announce);
    this.listenTo(this.model, CHANGE_REFUSED, this.refused);
    this.render();
  },

  part(name) {
    return this.el.querySelector(`.light__${name}`);
  },

  render() {
    const { state, says } = this.model.attributes;
    this.el.dataset.state = state;
    this.el.dataset.says = says;
    this.part("words").textContent = WORDS[says](this.model.attributes);
    this.part("says").hidden = says === "nothing";
    this.part("show").hidden = says !== "refused" || !document.querySelector(REFUSED);
  },

  // Once each time: a connection that comes and goes is not to be read out all the time. How many
  // are new is said where they are announced.
  announce() {
    const { says } = this.model.attributes;
    if (says === "back" || says === "nothing") this.said.clear();
    if (says === "nothing" || this.said.has(says)) return;
    this.said.add(says);
    const words = says === "back" ? `${BACK}.` : WORDS[says](this.model.attributes);
    this.bus.trigger(ANNOUNCEMENT, words);
  },

  // Its note stands beside it. Only what is out of sight needs one more word.
  refused() {
    requestAnimationFrame(() => {
      const inSight = Array.from(document.querySelectorAll(REFUSED)).some(isVisible);
      if (!inSight) this.model.complain();
    });
  },

  show() {
    bringIntoView(document.querySelector(REFUSED));
    this.model.calm();
  },
});

const changes = (n) => (n === 1 ? "1 change" : `${n} changes`);
const unsent = (n) => (n === 1 ? "1 unsent change." : `${n} unsent changes.`);
const open = (volatile) => (volatile ? " Keep this page open." : "");

const WORDS = {
  nothing: () => "",

  reconnecting: ({ waiting, volatile }) =>
    waiting > 0 && volatile ? `Reconnecting… ${unsent(waiting)}${open(volatile)}` : "Reconnecting…",

  offline({ waiting, volatile }) {
    const changes = waiting > 0 ? unsent(waiting) : "Changes will be sent when you reconnect.";
    return `You're offline. ${changes}${open(volatile)}`;
  },

  back: ({ arrived }) =>
    arrived > 0
      ? `${BACK} · ${arrived === 1 ? "1 new comment" : `${arrived} new comments`}`
      : `${BACK}.`,

  slow: ({ waiting, volatile }) => `Sending ${changes(waiting)}…${open(volatile)}`,

  refused: () =>
    document.querySelector(REFUSED)
      ? "A change couldn't be saved."
      : "A change on another page couldn't be saved.",
};
