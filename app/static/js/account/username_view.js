import { Form } from "../ui/form.js";

/** @typedef {{ form: import("../ui/form.js").Form, model: Parley.Account }} Fields */

/** The account's display name, and the form to change it. */
export const UsernameView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { submit: "submit", input: "forgetDone" },

  initialize() {
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.model, "change:id", this.begin);
    this.render();
  },

  begin() {
    this.form.reset();
    this.forgetDone();
  },

  render() {
    this.el.querySelector(".username__current").textContent = this.model.get("username") ?? "";
  },

  async submit(event) {
    event.preventDefault();
    this.forgetDone();
    const fields = { username: this.form.fields.username.value };
    if (!(await this.form.send(() => this.model.changeUsername(fields)))) return;
    this.begin();
    this.done().textContent = "Your name has been changed. Your comments will show it shortly.";
  },

  done() {
    return this.el.querySelector(".username__done");
  },

  forgetDone() {
    this.done().textContent = "";
  },
});
