import { ComponentView } from "../ui/component_view.js";
import { Form } from "../ui/form.js";

/** @typedef {{ form: import("../ui/form.js").Form, model: Parley.Account }} Fields */

/** The account's display name, and the form to change it. */
export const UsernameView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "username",
  events: { submit: "submit" },

  initialize() {
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.model, "change:id", () => this.form.reset());
    this.render();
  },

  render() {
    this.part("current").textContent = this.model.get("username") ?? "";
  },

  async submit(event) {
    event.preventDefault();
    const fields = this.form.values("username");
    if (!(await this.form.send(() => this.model.changeUsername(fields)))) return;
    this.form.reset();
    this.form.showDone("Your name has been changed. Your comments will show it shortly.");
  },
});
