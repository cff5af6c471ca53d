import { AUTH_DIALOG_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** The buttons that open the auth dialog. `data-auth` is the mode of the dialog (auth_modes.js). `el` is the body. */
export const AuthButtonsView = ComponentView.extend({
  events: { "click [data-auth]": "open" },

  open({ delegateTarget: button }) {
    this.bus.trigger(AUTH_DIALOG_WANTED, button.dataset.auth);
  },
});
