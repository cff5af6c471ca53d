import { FormView } from "../ui/form_view.js";

/** The account's email address, the new address that is not confirmed yet, and the form to change it. */
export const EmailView = FormView.extend({
  component: "email",

  initialize() {
    this.listenTo(this.account, "change", this.render);
    this.listenTo(this.account, "change:id", () => this.form.reset());
    this.render();
  },

  render() {
    const { email, unconfirmed_email, confirmed } = this.account.attributes;
    this.part("current").textContent = email ?? "";
    this.part("unconfirmed").hidden = confirmed !== false;
    this.part("waiting").hidden = !unconfirmed_email;
    this.part("new").textContent = unconfirmed_email ?? "";
  },

  send() {
    return this.account.changeEmail(this.form.values("email", "current_password"));
  },

  succeed() {
    this.form.reset();
    const waiting = this.account.get("unconfirmed_email");
    if (waiting) this.announce(`We've sent a link to ${waiting}.`);
  },
});
