import { Form } from "../ui/form.js";

/** @typedef {{ form: import("../ui/form.js").Form, model: Parley.Account }} Fields */

/** The form to change the password. A new password ends the account's other logins. */
export const PasswordView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { submit: "submit" },

  initialize() {
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(this.model, "change:id", this.reset);
    this.listenTo(this.model, "change:email", this.render);
    this.render();
  },

  reset() {
    this.form.reset();
    this.render();
  },

  // The form has a hidden field with the account's address: it tells password managers which password to change.
  render() {
    this.form.fields.username.value = this.model.get("email") ?? "";
  },

  async submit(event) {
    event.preventDefault();
    const fields = this.form.values("current_password", "password");
    if (!(await this.form.send(() => this.model.changePassword(fields)))) return;
    this.reset();
    this.form.showDone("Your password has been changed. You are signed out everywhere else.");
  },
});
