import { ComponentView } from "../ui/component_view.js";
import { Form } from "../ui/form.js";
import { isEscape } from "../ui/keys.js";

const COMMENTS = {
  keep: "Your comments will stay, without your name.",
  erase: "Your comments will be deleted too.",
};

/** @typedef {{ form: import("../ui/form.js").Form, model: Parley.Account }} Fields */

/** Deleting one's account, in two steps. */
export const DeletionView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "deletion",
  events: {
    submit: "ask",
    input: "cancel",
    "click .deletion__yes": "delete",
    "click .deletion__no": "cancel",
    "keydown .deletion__confirm": "key",
  },

  initialize() {
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(this.model, "change:id", this.begin);
  },

  begin() {
    this.form.reset();
    this.confirm(false);
  },

  ask(event) {
    event.preventDefault();
    if (!this.form.check()) return;
    const { comments } = this.form.fields;
    this.part("question").textContent =
      `Delete the account ${this.model.get("email")}? ${COMMENTS[comments.value]} This can't be undone.`;
    this.confirm(true);
    this.part("no").focus(); // a second Enter is soon pressed
  },

  async delete() {
    const fields = this.form.values("current_password", "comments");
    await this.form.send(() => this.model.delete(fields));
    if (this.form.problem) this.confirm(false);
  },

  cancel() {
    this.confirm(false);
  },

  // Whose focus was on an answer is asked again where they were.
  confirm(asking) {
    const hadFocus = this.part("confirm").contains(document.activeElement);
    this.part("confirm").hidden = !asking;
    this.part("ask").hidden = asking;
    if (hadFocus) this.part("ask").focus();
  },

  key(event) {
    if (isEscape(event)) this.cancel();
  },
});
