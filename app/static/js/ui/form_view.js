import { ComponentView } from "./component_view.js";
import { Form } from "./form.js";

/** @typedef {{ form: Form }} Fields */

/**
 * A component with one form. To be extended, with
 *
 *   send       () sends the fields. Rejects with a Problem, which the form shows
 *   succeed    () follows
 *   fail       () follows instead, if a field is missing or the server refused
 */
export const FormView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  events: { submit: "submit" },

  setElement(element) {
    ComponentView.prototype.setElement.call(this, element);
    this.form = new Form(this.el.querySelector("form"));
    return this;
  },

  async submit(event) {
    event.preventDefault();
    if (await this.form.send(() => this.send())) this.succeed();
    else this.fail();
  },

  async send() {},

  succeed() {},

  fail() {},
});
