import { showParts } from "../core/parts.js";
import { ComponentView } from "../ui/component_view.js";
import { Form } from "../ui/form.js";
import { useLink } from "./mailed_link.js";
import { takeToken } from "./token.js";

/**
 * @typedef {{
 *   account: Parley.Account,
 *   form: import("../ui/form.js").Form,
 *   token: string,
 * }} Fields
 */

/**
 * The page that a mailed link opens. It sends nothing until somebody presses the button, because mail scanners open
 * links, too. States: "ready", "missing" (no token), "stale" (an expired or used token), "done".
 */
export const MailedLinkView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "mailed-link",
  events: { submit: "submit" },

  initialize({ account }) {
    this.account = account;
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(account, "change:id", this.renderLinks);
    // If another link is pasted over this page's address, the browser loads no page.
    window.addEventListener("hashchange", () => this.openLink(takeToken()));
    this.showState("missing");
    this.openLink(takeToken());
    this.renderLinks();
  },

  openLink(token) {
    if (token === "") return;
    this.token = token;
    this.form.reset();
    this.showChoice(token.endsWith("&new"));
    this.showState("ready");
  },

  showState(state) {
    this.el.dataset.state = state;
    showParts(this.el, state);
  },

  // The owner of the address chooses the password of a new account. The link says that the account is new.
  showChoice(isNew) {
    const part = this.part("choose");
    if (part) part.hidden = !isNew;
  },

  renderLinks() {
    this.part("guest").hidden = this.account.isSignedIn();
    this.part("person").hidden = !this.account.isSignedIn();
  },

  async submit(event) {
    event.preventDefault();
    const { kind } = this.el.dataset;
    const { password, username } = this.form.fields;
    const chosen = {
      password: password?.value || undefined,
      username: username?.value || undefined,
    };
    if (await this.form.send(() => useLink(kind, { token: this.token, ...chosen }))) {
      this.finish("done");
    } else if (this.isRefused("token")) {
      this.finish("stale");
    } else if (this.isRefused("password")) {
      this.showChoice(true);
      password?.focus();
    }
  },

  isRefused(field) {
    return this.form.problem?.errors.some((error) => error.field === field);
  },

  // The form is hidden, so the message gets the focus.
  finish(state) {
    this.token = "";
    this.form.reset();
    this.showState(state);
    this.el.querySelector(`.mailed-link__said[data-only="${state}"]`).focus();
  },
});
