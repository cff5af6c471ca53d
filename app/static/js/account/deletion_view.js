import { FormView } from "../ui/form_view.js";
import { QuestionView } from "./question_view.js";

const CONSEQUENCES = {
  keep: "Your comments will stay, without your name.",
  erase: "Your comments will be deleted too.",
};

/** @typedef {{ question: InstanceType<typeof QuestionView> }} Fields */

/** The form to delete the account, and the question before it is deleted. */
export const DeletionView = /** @type {FormWith<Fields>} */ (FormView).extend({
  component: "deletion",
  events: { submit: "ask", input: "cancel" },

  initialize() {
    const [el, button] = [this.el.querySelector(".question"), this.part("ask")];
    this.question = new QuestionView({ el, button, act: () => this.delete() });
    this.listenTo(this.account, "change:id", this.reset);
  },

  reset() {
    this.form.reset();
    this.question.close();
  },

  ask(event) {
    event.preventDefault();
    if (!this.form.check()) return;
    const { comments } = this.form.fields;
    this.question.ask(
      `Delete the account ${this.account.get("email")}? ${CONSEQUENCES[comments.value]} This can't be undone.`,
    );
  },

  delete() {
    const fields = this.form.values("current_password", "comments");
    return this.form.send(() => this.account.delete(fields));
  },

  // The question is about the former content of the form.
  cancel() {
    this.question.close();
  },
});
