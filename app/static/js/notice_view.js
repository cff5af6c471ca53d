import { ANNOUNCEMENT, ENTRY_WANTED } from "./events.js";

const SIGNED_OUT = "You are signed out.";
const WORDS = {
  ended: "You were signed out from another device.",
  password: "You were signed out because the password was changed.",
  expired: "Your session expired. Please sign in again.",
  deleted: "This account has been deleted.",
  blocked: "You were signed out because a moderator blocked this account.",
};
const FOR_GOOD = ["deleted", "blocked"];

/** @typedef {{ bus: Backbone.Events, model: Parley.Account }} Fields */

/** Why one is a guest all of a sudden. It stays until somebody has seen it, or is signed in again. */
export const NoticeView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    "click .notice__sign-in": "askSignIn",
    "click .notice__dismiss": "dismiss",
  },

  initialize({ bus }) {
    this.bus = bus;
    this.listenTo(this.model, "left", this.tell);
    this.listenTo(this.model, "change:id", this.hide);
  },

  tell(reason) {
    const words = WORDS[reason] ?? SIGNED_OUT;
    this.el.querySelector(".notice__words").textContent = words;
    this.el.querySelector(".notice__sign-in").hidden = FOR_GOOD.includes(reason);
    this.el.hidden = false;
    this.bus.trigger(ANNOUNCEMENT, words);
  },

  hide() {
    this.el.hidden = true;
  },

  askSignIn() {
    this.bus.trigger(ENTRY_WANTED, "signin");
  },

  // Its button had the focus.
  dismiss() {
    this.hide();
    document.querySelector("#content").focus({ preventScroll: true });
  },
});
