import { Form } from "../ui/form.js";

/** @typedef {{ form: import("../ui/form.js").Form, model: Parley.Account }} Fields */

/** How to change one's password, which signs one out everywhere else. */
export const PasswordView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    submit: "submit",
    input: "forgetDone",
  },

  initialize() {
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(this.model, "change:id", this.begin);
    this.listenTo(this.model, "change:email", this.render);
    this.render();
  },

  begin() {
    this.form.reset();
    this.forgetDone();
  },

  // Password managers want to know whose it is.
  render() {
    this.form.fields.username.value = this.model.get("email") ?? "";
  },

  async submit(event) {
    event.preventDefault();
    this.forgetDone();
    const { current_password, password } = this.form.fields;
    const fields = { current_password: current_password.value, password: password.value };
    if (!(await this.form.send(() => this.model.changePassword(fields)))) return;
    this.begin();
    this.render();
    this.done().textContent = "Your password has been changed. You are signed out everywhere else.";
  },

  done() {
    return this.el.querySelector(".password__done");
  },

  forgetDone() {
    this.done().textContent = "";
  },
});
