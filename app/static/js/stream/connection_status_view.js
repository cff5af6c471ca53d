import { CHANGE_REFUSED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { counted } from "../ui/counted.js";
import { bringIntoView, isVisible } from "../ui/viewport.js";

const REFUSED = '[data-state="refused"]';
const BACK = "Back online";

/** @typedef {{ announced: Set<string> }} Fields */

/** The connection status: a dot, and the text of the notice, if there is one. The text moves no other element. */
export const ConnectionStatusView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "light",
  events: { "click .light__show": "show" },

  initialize() {
    this.announced = new Set();
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.model, "change:notice", this.announceNotice);
    this.listenTo(this.model, CHANGE_REFUSED, this.showRefusal);
    this.render();
  },

  render() {
    const { state, notice } = this.model.attributes;
    this.el.dataset.state = state;
    this.el.dataset.says = notice;
    this.part("words").textContent = TEXTS[notice](this.model.attributes);
    this.part("says").hidden = notice === "nothing";
    this.part("show").hidden = notice !== "refused" || !document.querySelector(REFUSED);
  },

  // A notice is announced once in an outage, because a connection may come and go. The number of new comments has its
  // own announcement.
  announceNotice() {
    const { notice } = this.model.attributes;
    if (notice === "back" || notice === "nothing") this.announced.clear();
    if (notice === "nothing" || this.announced.has(notice)) return;
    this.announced.add(notice);
    const words = notice === "back" ? `${BACK}.` : TEXTS[notice](this.model.attributes);
    this.announce(words);
  },

  // A refused change has a note beside it. The notice is only for a change outside of the viewport.
  showRefusal() {
    requestAnimationFrame(() => {
      const isInView = Array.from(document.querySelectorAll(REFUSED)).some(isVisible);
      if (!isInView) this.model.showRefusal();
    });
  },

  show() {
    bringIntoView(document.querySelector(REFUSED));
    this.model.hideRefusal();
  },
});

const unsent = (n) => `${counted(n, "unsent change")}.`;
const open = (volatile) => (volatile ? " Keep this page open." : "");

const TEXTS = {
  nothing: () => "",

  reconnecting: ({ waiting, volatile }) =>
    waiting > 0 && volatile ? `Reconnecting… ${unsent(waiting)}${open(volatile)}` : "Reconnecting…",

  offline({ waiting, volatile }) {
    const changes = waiting > 0 ? unsent(waiting) : "Changes will be sent when you reconnect.";
    return `You're offline. ${changes}${open(volatile)}`;
  },

  back: ({ arrived }) =>
    arrived > 0 ? `${BACK} · ${counted(arrived, "new comment")}` : `${BACK}.`,

  slow: ({ waiting, volatile }) => `Sending ${counted(waiting, "change")}…${open(volatile)}`,

  refused: () =>
    document.querySelector(REFUSED)
      ? "A change couldn't be saved."
      : "A change on another page couldn't be saved.",
};
