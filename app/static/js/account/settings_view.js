import { ComponentView } from "../ui/component_view.js";
import { DeletionView } from "./deletion_view.js";
import { EmailView } from "./email_view.js";
import { Logins } from "./logins.js";
import { LoginsView } from "./logins_view.js";
import { MutesView } from "./mutes_view.js";
import { PasswordView } from "./password_view.js";
import { UsernameView } from "./username_view.js";

/** The account page. The server renders `el` for a user and for a guest; it asks a guest to sign in. */
export const SettingsView = ComponentView.extend({
  component: "settings",

  initialize({ bus, moderation }) {
    new UsernameView({ el: ".username", model: this.model });
    new EmailView({ el: ".email", model: this.model, bus });
    new PasswordView({ el: ".password", model: this.model });
    new LoginsView({ el: ".logins", collection: new Logins(), bus, account: this.model });
    new MutesView({ el: ".mutes", account: this.model, moderation, bus });
    new DeletionView({ el: ".deletion", model: this.model });
    this.listenTo(this.model, "change:id", this.render);
    this.render();
  },

  render() {
    const guest = !this.model.isSignedIn();
    const person = this.part("person");
    const hadFocus = person.contains(document.activeElement);
    this.part("guest").hidden = !guest;
    person.hidden = guest;
    if (guest && hadFocus) this.part("sign-in").focus();
  },
});
