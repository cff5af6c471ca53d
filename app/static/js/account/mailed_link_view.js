import { ENTRY_WANTED } from "../core/events.js";
import { showParts } from "../core/parts.js";
import { Form } from "../ui/form.js";
import { MailedLink } from "./mailed_link.js";
import { takeToken } from "./token.js";

/**
 * @typedef {{
 *   bus: Backbone.Events,
 *   account: Parley.Account,
 *   form: import("../ui/form.js").Form,
 *   token: string,
 * }} Fields
 */

/**
 * The page that a mailed link leads to. It does nothing before somebody presses the button: programs that look
 * into mails open links, too. States: "ready", "missing" (no token), "stale" (an expired or used token), "done".
 */
export const MailedLinkView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    submit: "submit",
    "click .mailed-link__ask": "ask",
    "click .mailed-link__sign-in": "askSignIn",
  },

  initialize({ bus, account }) {
    this.bus = bus;
    this.account = account;
    this.model = new MailedLink({}, { kind: this.el.dataset.kind });
    this.form = new Form(this.el.querySelector("form"));
    this.listenTo(account, "change:id", this.renderPerson);
    // Another link, pasted over this page's own address, loads nothing.
    window.addEventListener("hashchange", () => this.arrive(takeToken()));
    this.turn("missing");
    this.arrive(takeToken());
    this.renderPerson();
  },

  arrive(token) {
    if (token === "") return;
    this.token = token;
    this.form.reset();
    this.choose(token.endsWith("&new"));
    this.turn("ready");
  },

  turn(state) {
    this.el.dataset.state = state;
    showParts(this.el, state);
  },

  // The person who has the mail chooses the password of a new account. The link says that the account is new.
  choose(isNew) {
    const part = this.el.querySelector(".mailed-link__choose");
    if (part) part.hidden = !isNew;
  },

  renderPerson() {
    this.el.querySelector(".mailed-link__guest").hidden = this.account.isSignedIn();
    this.el.querySelector(".mailed-link__person").hidden = !this.account.isSignedIn();
  },

  async submit(event) {
    event.preventDefault();
    const { password, username } = this.form.fields;
    const chosen = {
      password: password?.value || undefined,
      username: username?.value || undefined,
    };
    if (await this.form.send(() => this.model.use({ token: this.token, ...chosen }))) {
      this.conclude("done");
    } else if (this.isRefused("token")) {
      this.conclude("stale");
    } else if (this.isRefused("password")) {
      this.choose(true);
      password?.focus();
    }
  },

  isRefused(field) {
    return this.form.problem?.errors.some((error) => error.field === field);
  },

  // The form is no more, and with it the focus.
  conclude(state) {
    this.token = "";
    this.form.reset();
    this.turn(state);
    this.el.querySelector(`.mailed-link__said[data-only="${state}"]`).focus();
  },

  ask() {
    this.bus.trigger(ENTRY_WANTED, this.el.dataset.ask);
  },

  askSignIn() {
    this.bus.trigger(ENTRY_WANTED, "signin");
  },
});
