import { ACCOUNT_LEFT, PART_FAILED, PART_LOADED } from "../core/events.js";
import { ComponentView } from "./component_view.js";

const SIGNED_OUT = "You are signed out.";
const MESSAGES = {
  ended: "You were signed out from another device.",
  password: "You were signed out because the password was changed.",
  expired: "Your session expired. Please sign in again.",
  deleted: "This account has been deleted.",
  blocked: "You were signed out because a moderator blocked this account.",
};
const FINAL_REASONS = ["deleted", "blocked"];
const NOT_LOADED = "Couldn't load this part of the page. Check your connection.";

/**
 * Shows why a person was signed out, until they dismiss the notice or sign in. Also shows that the code of a part could
 * not be loaded, until a part is loaded.
 */
export const NoticeView = ComponentView.extend({
  component: "notice",
  events: {
    "click .notice__retry": "retry",
    "click .notice__dismiss": "dismiss",
  },

  retryLoad: /** @type {(() => void) | null} */ (null), // loads the missing part

  initialize() {
    this.listenTo(this.bus, PART_FAILED, this.showPartFailed);
    this.listenTo(this.bus, PART_LOADED, () => this.retryLoad && this.hide());
    this.listenTo(this.account, ACCOUNT_LEFT, this.showSignedOut);
    this.listenTo(this.account, "change:id", this.hide);
  },

  showSignedOut(reason) {
    this.show(MESSAGES[reason] ?? SIGNED_OUT, FINAL_REASONS.includes(reason) ? [] : ["sign-in"]);
  },

  showPartFailed(retry) {
    this.show(NOT_LOADED, ["retry"]);
    this.retryLoad = retry;
  },

  show(words, buttons) {
    this.retryLoad = null;
    this.part("words").textContent = words;
    for (const name of ["sign-in", "retry"]) this.part(name).hidden = !buttons.includes(name);
    this.el.hidden = false;
    this.announce(words);
  },

  hide() {
    this.retryLoad = null;
    this.el.hidden = true;
  },

  retry() {
    const { retryLoad } = this;
    this.dismiss();
    retryLoad?.();
  },

  // The focus was on a button of the notice, which is hidden now.
  dismiss() {
    this.hide();
    document.querySelector("#content").focus({ preventScroll: true });
  },
});
