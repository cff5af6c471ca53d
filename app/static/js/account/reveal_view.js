import { AUTH_DIALOG_CLOSED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** The buttons that show a typed password. It is hidden again when the form is sent or closed. `el` is the body. */
export const RevealView = ComponentView.extend({
  events: {
    "click .field__reveal": "toggle",
    submit: "hideAll",
  },

  initialize() {
    this.listenTo(this.bus, AUTH_DIALOG_CLOSED, this.hideAll);
  },

  toggle({ delegateTarget: button }) {
    this.show(button, button.textContent === "Show");
  },

  hideAll() {
    for (const button of this.el.querySelectorAll(".field__reveal")) this.show(button, false);
  },

  show(button, isShown) {
    const verb = isShown ? "Hide" : "Show";
    /** @type {HTMLInputElement} */
    const field = document.querySelector(`#${button.getAttribute("aria-controls")}`);
    field.type = isShown ? "text" : "password";
    button.textContent = verb;
    button.setAttribute("aria-label", `${verb} the password`);
  },
});
