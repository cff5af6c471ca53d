import { FormView } from "../ui/form_view.js";
import { takeToken } from "./token.js";

/**
 * The page that a mailed link opens. It sends nothing until somebody presses the button, because mail scanners open
 * links, too. States: "ready", "missing" (no token), "stale" (an expired or used token), "done".
 */
export const MailedLinkView = FormView.extend({
  component: "mailed-link",
  token: "",

  initialize() {
    this.listenTo(this.account, "change:id", this.showForAccount);
    // If another link is pasted over this page's address, the browser loads no page.
    window.addEventListener("hashchange", () => this.openLink(takeToken()));
    this.showState("missing");
    this.openLink(takeToken());
    this.showForAccount();
  },

  openLink(token) {
    if (token === "") return;
    this.token = token;
    this.form.reset();
    this.showChoice(token.endsWith("&new"));
    this.showState("ready");
  },

  // The owner of the address chooses the password of a new account. The link says that the account is new.
  showChoice(isNew) {
    const part = this.part("choose");
    if (part) part.hidden = !isNew;
  },

  send() {
    const { kind } = this.el.dataset;
    const { password, username } = this.form.fields;
    const chosen = {
      password: password?.value || undefined,
      username: username?.value || undefined,
    };
    return this.account.send("update", `/api/${kind}`, { token: this.token, ...chosen });
  },

  succeed() {
    this.finish("done");
  },

  fail() {
    if (this.isRefused("token")) this.finish("stale");
    if (!this.isRefused("password")) return;
    this.showChoice(true);
    this.form.fields.password?.focus();
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
