import { AUTH_DIALOG_CLOSED, SIGN_OUT_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** @typedef {{ bus: Backbone.Events, model: Parley.Account }} Fields */

/** The account in the page's header: buttons to sign in, or the user's name and a button to sign out. */
export const AccountView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "account",
  events: {
    "click .account__sign-out": "signOut",
  },

  initialize({ bus }) {
    this.bus = bus;
    this.listenTo(this.model, "change", this.render);
    this.listenTo(bus, AUTH_DIALOG_CLOSED, this.restoreFocus);
    this.render();
  },

  render() {
    const guest = !this.model.isSignedIn();
    this.el.dataset.state = guest ? "guest" : "signed-in";
    this.part("guest").hidden = !guest;
    this.part("person").hidden = guest;
    this.part("name").textContent = this.model.get("username") ?? "";
  },

  // The button that opened the dialog is hidden after a sign-in. The button in its place gets the focus.
  restoreFocus() {
    const { activeElement } = document;
    const isLost = activeElement === document.body || !activeElement?.getClientRects().length;
    if (isLost && this.model.isSignedIn()) this.part("sign-out").focus({ preventScroll: true });
  },

  // If a text would be lost, sign_out_view.js asks for confirmation.
  signOut() {
    this.bus.trigger(SIGN_OUT_WANTED);
  },
});
