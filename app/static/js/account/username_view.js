import { FormView } from "../ui/form_view.js";

/** The account's display name, and the form to change it. */
export const UsernameView = FormView.extend({
  component: "username",

  initialize() {
    this.listenTo(this.account, "change", this.render);
    this.listenTo(this.account, "change:id", () => this.form.reset());
    this.render();
  },

  render() {
    this.part("current").textContent = this.account.get("username") ?? "";
  },

  send() {
    return this.account.changeUsername(this.form.values("username"));
  },

  succeed() {
    this.form.reset();
    this.form.showDone("Your name has been changed. Your comments will show it shortly.");
  },
});
