import { FormView } from "../ui/form_view.js";

/** The form to change the password. A new password ends the account's other logins. */
export const PasswordView = FormView.extend({
  initialize() {
    this.listenTo(this.account, "change:id", this.reset);
    this.listenTo(this.account, "change:email", this.render);
    this.render();
  },

  reset() {
    this.form.reset();
    this.render();
  },

  // The form has a hidden field with the account's address: it tells password managers which password to change.
  render() {
    this.form.fields.username.value = this.account.get("email") ?? "";
  },

  send() {
    return this.account.changePassword(this.form.values("current_password", "password"));
  },

  succeed() {
    this.reset();
    this.form.showDone("Your password has been changed. You are signed out everywhere else.");
  },
});
