import { ENTRY_CLOSED, ENTRY_WANTED, SIGN_OUT_WANTED } from "../core/events.js";

/** @typedef {{ bus: Backbone.Events, model: Parley.Account }} Fields */

/** The corner of the page that says who one is. `el` is server-rendered in both states. */
export const AccountView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    "click .account__sign-in": "askSignIn",
    "click .account__sign-up": "askSignUp",
    "click .account__sign-out": "signOut",
  },

  initialize({ bus }) {
    this.bus = bus;
    this.listenTo(this.model, "change", this.render);
    this.listenTo(bus, ENTRY_CLOSED, this.entered);
    this.render();
  },

  render() {
    const guest = !this.model.isSignedIn();
    this.el.dataset.state = guest ? "guest" : "signed-in";
    this.el.querySelector(".account__guest").hidden = !guest;
    this.el.querySelector(".account__person").hidden = guest;
    this.el.querySelector(".account__name").textContent = this.model.get("username") ?? "";
  },

  // The button that had opened the form is no more; the next in its place gets the focus.
  entered() {
    const { activeElement } = document;
    const lost = activeElement === document.body || !activeElement?.getClientRects().length;
    if (lost && this.model.isSignedIn())
      this.el.querySelector(".account__sign-out").focus({ preventScroll: true });
  },

  askSignIn() {
    this.bus.trigger(ENTRY_WANTED, "signin");
  },

  askSignUp() {
    this.bus.trigger(ENTRY_WANTED, "signup");
  },

  // If a text would be lost, sign_out_view.js asks first.
  signOut() {
    this.bus.trigger(SIGN_OUT_WANTED);
  },
});
