import { ENTRY_CLOSED } from "../core/events.js";

/** Lets people see the passwords that they type; what is sent or closed is covered again. `el` is the body. */
export const RevealView = Backbone.View.extend({
  events: {
    "click .field__reveal": "toggle",
    submit: "cover",
  },

  initialize({ bus }) {
    this.listenTo(bus, ENTRY_CLOSED, this.cover);
  },

  toggle({ delegateTarget: button }) {
    this.show(button, button.textContent === "Show");
  },

  cover() {
    for (const button of this.el.querySelectorAll(".field__reveal")) this.show(button, false);
  },

  show(button, shown) {
    const verb = shown ? "Hide" : "Show";
    /** @type {HTMLInputElement} */
    const field = document.querySelector(`#${button.getAttribute("aria-controls")}`);
    field.type = shown ? "text" : "password";
    button.textContent = verb;
    button.setAttribute("aria-label", `${verb} the password`);
  },
});
