import { ANNOUNCEMENT } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { Form } from "../ui/form.js";

/** @typedef {{ bus: Backbone.Events, form: import("../ui/form.js").Form, model: Parley.Account }} Fields */

/** The account's email address, the new address that is not confirmed yet, and the form to change it. */
export const EmailView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "email",
  events: { submit: "submit" },

  initialize({ bus }) {
    this.bus = bus;
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.model, "change:id", () => this.form.reset());
    this.render();
  },

  render() {
    const { email, unconfirmed_email, confirmed } = this.model.attributes;
    this.part("current").textContent = email ?? "";
    this.part("unconfirmed").hidden = confirmed !== false;
    this.part("waiting").hidden = !unconfirmed_email;
    this.part("new").textContent = unconfirmed_email ?? "";
  },

  async submit(event) {
    event.preventDefault();
    const fields = this.form.values("email", "current_password");
    if (!(await this.form.send(() => this.model.changeEmail(fields)))) return;
    this.form.reset();
    const waiting = this.model.get("unconfirmed_email");
    if (waiting) this.bus.trigger(ANNOUNCEMENT, `We've sent a link to ${waiting}.`);
  },
});
