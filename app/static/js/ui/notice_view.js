import {
  ACCOUNT_LEFT,
  ANNOUNCEMENT,
  ENTRY_WANTED,
  PART_FAILED,
  PART_LOADED,
} from "../core/events.js";

const SIGNED_OUT = "You are signed out.";
const WORDS = {
  ended: "You were signed out from another device.",
  password: "You were signed out because the password was changed.",
  expired: "Your session expired. Please sign in again.",
  deleted: "This account has been deleted.",
  blocked: "You were signed out because a moderator blocked this account.",
};
const FOR_GOOD = ["deleted", "blocked"];
const NOT_LOADED = "Couldn't load this part of the page. Check your connection.";

/** @typedef {{ bus: Backbone.Events, model: Parley.Account, again: (() => void) | null }} Fields */

/**
 * Says why somebody is signed out, until they dismiss it or sign in again. Also says that the code of a part could not be
 * loaded, until a part is loaded.
 */
export const NoticeView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    "click .notice__sign-in": "askSignIn",
    "click .notice__retry": "retry",
    "click .notice__dismiss": "dismiss",
  },

  initialize({ bus }) {
    this.bus = bus;
    this.again = null; // how to load the part that is missing
    this.listenTo(bus, PART_FAILED, this.tellMissing);
    this.listenTo(bus, PART_LOADED, () => this.again && this.hide());
    this.listenTo(this.model, ACCOUNT_LEFT, this.tell);
    this.listenTo(this.model, "change:id", this.hide);
  },

  tell(reason) {
    this.show(WORDS[reason] ?? SIGNED_OUT, FOR_GOOD.includes(reason) ? [] : ["sign-in"]);
  },

  tellMissing(again) {
    this.show(NOT_LOADED, ["retry"]);
    this.again = again;
  },

  show(words, buttons) {
    this.again = null;
    this.el.querySelector(".notice__words").textContent = words;
    for (const name of ["sign-in", "retry"])
      this.el.querySelector(`.notice__${name}`).hidden = !buttons.includes(name);
    this.el.hidden = false;
    this.bus.trigger(ANNOUNCEMENT, words);
  },

  hide() {
    this.again = null;
    this.el.hidden = true;
  },

  retry() {
    const { again } = this;
    this.dismiss();
    again?.();
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
