import { ComponentView } from "../ui/component_view.js";
import { AtomView } from "./atom_view.js";
import { DeletionView } from "./deletion_view.js";
import { EmailView } from "./email_view.js";
import { FollowedConversationsView, MutedConversationsView, MutedPeopleView } from "./listings.js";
import { Logins } from "./logins.js";
import { LoginsView } from "./logins_view.js";
import { ModeratorMailView } from "./moderator_mail_view.js";
import { PasswordView } from "./password_view.js";
import { ReplyMailView } from "./reply_mail_view.js";
import { UsernameView } from "./username_view.js";

/** The account page. The server renders `el` for a user and for a guest; it asks a guest to sign in. */
export const SettingsView = ComponentView.extend({
  component: "settings",

  initialize() {
    new UsernameView({ el: ".username", ...this.parts });
    new EmailView({ el: ".email", ...this.parts });
    new PasswordView({ el: ".password", ...this.parts });
    new LoginsView({ el: ".logins", collection: new Logins(), ...this.parts });
    new ReplyMailView({ el: ".reply-mail", ...this.parts });
    new ModeratorMailView({ el: ".moderator-mail", ...this.parts });
    new FollowedConversationsView({ el: ".followed-conversations", ...this.parts });
    new MutedConversationsView({ el: ".muted-conversations", ...this.parts });
    new MutedPeopleView({ el: ".muted-people", ...this.parts });
    new AtomView({ el: ".atom", ...this.parts });
    new DeletionView({ el: ".deletion", ...this.parts });
    this.listenTo(this.account, "change:id", this.render);
    this.render();
  },

  render() {
    const hadFocus = this.part("person").contains(document.activeElement);
    if (this.showForAccount() && hadFocus) this.part("sign-in").focus();
  },
});
