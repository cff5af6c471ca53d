import { ANNOUNCEMENT } from "./events.js";
import { bringIntoView, isVisible } from "./sight.js";

const REFUSED = '[data-state="refused"]';

/** The connection light: a dot, and words that float where they move nothing, only while there is something to say. */
export const LightView = Backbone.View.extend({
  events: { "click .light__show": "show" },

  initialize({ bus }) {
    this.bus = bus;
    this.said = new Set();
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.model, "change:says", this.announce);
    this.listenTo(this.model, "refused", this.refused);
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
    const words = says === "back" ? "Back." : WORDS[says](this.model.attributes);
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
const wait = (n) => (n === 1 ? "1 change waits" : `${n} changes wait`);

const WORDS = {
  nothing: () => "",

  reconnecting: ({ waiting, volatile }) =>
    waiting > 0 && volatile
      ? `Reconnecting… Keep this page open: ${wait(waiting)} here.`
      : "Reconnecting…",

  offline({ waiting, volatile }) {
    const kept = waiting > 0 ? `${wait(waiting)} here` : "Your changes are kept";
    return `Offline. ${kept}${volatile ? " while this page is open" : ""}.`;
  },

  back: ({ arrived }) => (arrived > 0 ? `Back, ${arrived} new.` : "Back."),

  slow: ({ waiting, volatile }) =>
    `Still sending ${changes(waiting)}…${volatile ? " Keep this page open." : ""}`,

  refused: () =>
    document.querySelector(REFUSED)
      ? "A change was not taken."
      : "A change that you made on another page was not taken.",
};
