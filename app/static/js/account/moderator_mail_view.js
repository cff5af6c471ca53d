import { ReplyMailView } from "./reply_mail_view.js";

/** When a moderator gets email about reports, comments and removals. Other accounts do not see it. */
export const ModeratorMailView = ReplyMailView.extend({
  component: "moderator-mail",
  url: "/api/account/moderator_mail",
  defaults: {
    mail_on_report: "at_once",
    mail_on_comment: "never",
    mail_on_edit: "never",
    mail_on_removal: "never",
  },

  initialize() {
    this.listenTo(this.account, "change:role", this.renderRole);
    ReplyMailView.prototype.initialize.call(this);
    this.renderRole();
  },

  renderRole() {
    this.el.hidden = !["moderator", "owner"].includes(this.account.get("role"));
  },
});
