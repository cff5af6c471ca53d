import { AUTH_DIALOG_WANTED } from "../core/events.js";

/** @typedef {{ bus: Backbone.Events }} Fields */

/** The buttons that open the auth dialog. `data-auth` is the mode of the dialog (auth_modes.js). `el` is the body. */
export const AuthButtonsView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { "click [data-auth]": "open" },

  initialize({ bus }) {
    this.bus = bus;
  },

  open({ delegateTarget: button }) {
    this.bus.trigger(AUTH_DIALOG_WANTED, button.dataset.auth);
  },
});
