import { FormView } from "./form_view.js";

/** @typedef {{ el: HTMLDialogElement }} Fields */

/**
 * A `<dialog>` with a form. It closes on its close button and on a click outside it. To be extended, with what FormView
 * needs.
 */
export const DialogView = /** @type {FormWith<Fields>} */ (FormView).extend({
  events: { ...FormView.prototype.events, click: "clickOutside", "click .dialog__close": "close" },

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
