import { ANNOUNCEMENT, ENTRY_CLOSED, ENTRY_WANTED } from "../core/events.js";
import { showParts } from "../core/parts.js";
import { DialogView } from "../ui/dialog_view.js";
import { Form } from "../ui/form.js";
import { isolated } from "../ui/isolated.js";
import { MODES } from "./auth_modes.js";

/**
 * @typedef {{
 *   bus: Backbone.Events,
 *   form: import("../ui/form.js").Form,
 *   intent: any,
 *   mode: string,
 *   model: Parley.Account,
 * }} Fields
 */

/**
 * Signing in and up, and asking for the mails that help with it, in a dialog over whatever page one is on.
 * `el` is the `<dialog>`; its `data-mode` is one of MODES, or "sent" once an email was requested.
 */
export const AuthDialogView = /** @type {DialogWith<Fields>} */ (DialogView).extend({
  component: "entry",
  events: {
    ...DialogView.prototype.events,
    submit: "submit",
    close: "closed",
    "click .entry__close": "close",
    "click [data-to]": "go",
    "click .entry__again": "again",
  },

  initialize({ bus }) {
    this.bus = bus;
    this.form = new Form(this.el.querySelector("form"));
    this.intent = null;
    this.listenTo(bus, ENTRY_WANTED, this.want);
  },

  /** `intent`: {to: "like this comment", act}, the reason to sign in, and the action that follows. */
  want(mode, intent = null) {
    this.intent = intent;
    this.open(mode);
  },

  open(mode) {
    this.turn(mode);
    this.form.fields.email.value ||= this.model.get("email") ?? "";
    this.showModal();
    this.form.fields[MODES[mode].first].focus();
  },

  turn(mode) {
    const { title, invitation, submit, password } = MODES[mode];
    this.mode = mode;
    this.form.clear();
    this.show(mode, this.intent && invitation ? `${invitation} to ${this.intent.to}` : title);
    this.part("submit").textContent = submit;
    if (password) this.form.fields.password.autocomplete = password;
  },

  show(mode, title) {
    this.el.dataset.mode = mode;
    this.part("title").textContent = title;
    showParts(this.el, mode);
    this.offer(null);
  },

  // What is typed in the fields stays in them.
  go({ delegateTarget: button }) {
    this.open(button.dataset.to);
  },

  again() {
    this.open(MODES[this.mode].again);
  },

  async submit(event) {
    event.preventDefault();
    this.offer(null);
    const { act } = MODES[this.mode];
    if (await this.form.send(() => act(this.model, this.form.fields))) this.succeed();
    else this.offer(this.form.problem);
  },

  // Asking for a mail signs nobody in; nor does signing up, where the address is to be confirmed first.
  succeed() {
    if (MODES[this.mode].password && this.model.isSignedIn()) this.enter();
    else this.tellSent();
  },

  enter() {
    this.bus.trigger(ANNOUNCEMENT, `Signed in as ${isolated(this.model.get("username"))}.`);
    this.close();
  },

  tellSent() {
    const words = this.part("sent");
    words.textContent = MODES[this.mode].sent(this.form.fields.email.value);
    this.form.fields.password.value = "";
    this.show("sent", "Check your email");
    words.focus();
  },

  // Some refusals have a way out of their own. Which ones, the page says.
  offer(problem) {
    for (const way of this.el.querySelectorAll(".entry__offer")) {
      const isOne = way.dataset.status?.split(" ").includes(String(problem?.status));
      way.hidden = this.mode !== "signin" || !isOne;
    }
  },

  closed() {
    this.form.fields.password.value = "";
    this.bus.trigger(ENTRY_CLOSED);
    const { intent } = this;
    this.intent = null;
    if (intent && this.model.isSignedIn()) intent.act();
  },
});
