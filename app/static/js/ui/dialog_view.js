import { ComponentView } from "./component_view.js";

/** @typedef {{ el: HTMLDialogElement }} Fields */

/** A component that is a `<dialog>`. It closes on its close button and on a click outside it. To be extended. */
export const DialogView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  events: { click: "clickOutside", "click .dialog__close": "close" },

  showModal() {
    if (!this.el.open) this.el.showModal();
  },

  close() {
    this.el.close();
  },

  clickOutside(event) {
    if (event.target === this.el) this.close();
  },
});
