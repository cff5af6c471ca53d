import { FormView } from "../ui/form_view.js";
import { isEscape } from "../ui/keys.js";

const CONSEQUENCES = {
  keep: "Your comments will stay, without your name.",
  erase: "Your comments will be deleted too.",
};

/** The form to delete the account, and the question before it is deleted. */
export const DeletionView = FormView.extend({
  component: "deletion",
  events: {
    submit: "ask",
    input: "cancel",
    "click .deletion__yes": "delete",
    "click .deletion__no": "cancel",
    "keydown .deletion__confirm": "onKey",
  },

  initialize() {
    this.listenTo(this.account, "change:id", this.reset);
  },

  reset() {
    this.form.reset();
    this.showQuestion(false);
  },

  ask(event) {
    event.preventDefault();
    if (!this.form.check()) return;
    const { comments } = this.form.fields;
    this.part("question").textContent =
      `Delete the account ${this.account.get("email")}? ${CONSEQUENCES[comments.value]} This can't be undone.`;
    this.showQuestion(true);
    this.part("no").focus(); // so a second press of Enter deletes nothing
  },

  async delete() {
    const fields = this.form.values("current_password", "comments");
    await this.form.send(() => this.account.delete(fields));
    if (this.form.problem) this.showQuestion(false);
  },

  // Also when the form changes, because the question is about its former content.
  cancel() {
    this.showQuestion(false);
  },

  showQuestion(isShown) {
    const hadFocus = this.part("confirm").contains(document.activeElement);
    this.part("confirm").hidden = !isShown;
    this.part("ask").hidden = isShown;
    if (hadFocus) this.part("ask").focus();
  },

  onKey(event) {
    if (isEscape(event)) this.cancel();
  },
});
