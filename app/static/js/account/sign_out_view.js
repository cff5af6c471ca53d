import { SIGN_OUT_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

const drafts = (n) => (n === 1 ? "an unsent draft" : `${n} unsent drafts`);
const it = (n) => (n === 1 ? "it" : "them");

/** @typedef {{ el: HTMLDialogElement, model: Parley.Account }} Fields */

/**
 * Signing out deletes the account's drafts from this browser, because others may use this computer. If there are any,
 * the dialog asks first. Unsent changes stay until the account signs in again. `el` is the `<dialog>`.
 */
export const SignOutView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "sign-out",
  events: {
    "click .sign-out__yes": "confirm",
    "click .sign-out__no": "close",
  },

  initialize() {
    this.listenTo(this.bus, SIGN_OUT_WANTED, this.ask);
    this.listenTo(this.account, "change:id", this.close);
  },

  async ask() {
    await this.outbox.kept(); // deletes the draft of a text that was just posted
    const count = this.drafts.all().length;
    if (count === 0) return this.signOut();
    const waiting = this.outbox.records.length;
    const later =
      waiting > 0 ? " Comments that are still being sent are sent when you sign in again." : "";
    this.part("words").textContent =
      `You have ${drafts(count)}. Signing out deletes ${it(count)} from this browser.${later}`;
    this.part("yes").textContent = `Sign out and delete ${it(count)}`;
    this.el.showModal();
    this.part("no").focus();
  },

  confirm() {
    this.close();
    this.signOut();
  },

  close() {
    this.el.close();
  },

  async signOut() {
    const button = document.querySelector(".account__sign-out");
    button.disabled = true;
    try {
      await this.account.signOut();
      document.querySelector(".account__sign-in").focus();
    } catch (problem) {
      this.announce(`Couldn't sign out. ${problem.message}`);
    } finally {
      button.disabled = false;
    }
  },
});
