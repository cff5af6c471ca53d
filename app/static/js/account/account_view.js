import { AUTH_DIALOG_CLOSED, SIGN_OUT_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** The account in the page's header: buttons to sign in, or the user's name and a button to sign out. */
export const AccountView = ComponentView.extend({
  component: "account",
  events: {
    "click .account__sign-out": "signOut",
  },

  initialize() {
    this.listenTo(this.account, "change", this.render);
    this.listenTo(this.bus, AUTH_DIALOG_CLOSED, this.restoreFocus);
    this.render();
  },

  render() {
    this.el.dataset.state = this.showForAccount() ? "guest" : "signed-in";
    this.part("name").textContent = this.account.get("username") ?? "";
  },

  // The button that opened the dialog is hidden after a sign-in. The button in its place gets the focus.
  restoreFocus() {
    const { activeElement } = document;
    const isLost = activeElement === document.body || !activeElement?.getClientRects().length;
    if (isLost && this.account.isSignedIn()) this.part("sign-out").focus({ preventScroll: true });
  },

  // If a text would be lost, sign_out_view.js asks for confirmation.
  signOut() {
    this.bus.trigger(SIGN_OUT_WANTED);
  },
});
