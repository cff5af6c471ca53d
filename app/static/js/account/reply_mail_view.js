import { FormView } from "../ui/form_view.js";

const KINDS = ["mail_on_reply", "mail_on_mention"];

/** When the account gets email about replies, and about mentions. */
export const ReplyMailView = FormView.extend({
  component: "reply-mail",

  initialize() {
    this.listenTo(
      this.account,
      "change:id change:mail_on_reply change:mail_on_mention",
      this.render,
    );
    this.listenTo(this.account, "change:confirmed", this.renderConfirmed);
    this.render();
    this.renderConfirmed();
  },

  render() {
    for (const kind of KINDS) this.form.fields[kind].value = this.account.get(kind) ?? "at_once";
  },

  renderConfirmed() {
    this.part("unconfirmed").hidden = this.account.get("confirmed") !== false;
  },

  send() {
    return this.account.chooseMail(this.form.values(...KINDS));
  },

  succeed() {
    this.form.showDone("Your choice has been saved.");
  },
});
