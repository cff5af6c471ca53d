import { FormView } from "../ui/form_view.js";

/** When the account gets email about replies, mentions, and conversations that it follows. Extended for other kinds. */
export const ReplyMailView = FormView.extend({
  component: "reply-mail",
  url: "/api/account/mail",
  // What an account has before it chooses, for each kind.
  defaults: { mail_on_reply: "at_once", mail_on_mention: "at_once", mail_on_followed: "at_once" },

  initialize() {
    const changes = ["id", ...this.kinds()].map((name) => `change:${name}`).join(" ");
    this.listenTo(this.account, changes, this.render);
    this.listenTo(this.account, "change:confirmed", this.renderConfirmed);
    this.render();
    this.renderConfirmed();
  },

  kinds() {
    return Object.keys(this.defaults);
  },

  render() {
    for (const kind of this.kinds()) {
      this.form.fields[kind].value = this.account.get(kind) ?? this.defaults[kind];
    }
  },

  renderConfirmed() {
    this.part("unconfirmed").hidden = this.account.get("confirmed") !== false;
  },

  send() {
    return this.account.change("update", this.url, this.form.values(...this.kinds()));
  },

  succeed() {
    this.form.showDone("Your choice has been saved.");
  },
});
