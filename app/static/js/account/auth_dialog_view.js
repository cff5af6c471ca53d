import { AUTH_DIALOG_CLOSED, AUTH_DIALOG_WANTED } from "../core/events.js";
import { DialogView } from "../ui/dialog_view.js";
import { isolated } from "../ui/isolated.js";
import { MODES } from "./auth_modes.js";

/**
 * The dialog to sign in, to sign up, and to request emails with links. `el` is the `<dialog>`. Its `data-mode` is one
 * of MODES, or "sent" after an email was requested.
 */
export const AuthDialogView = DialogView.extend({
  component: "entry",
  events: {
    ...DialogView.prototype.events,
    close: "onClosed",
    "click [data-to]": "changeMode",
    "click .entry__again": "openResendForm",
  },

  intent: /** @type {{ to: string, act(): void } | null} */ (null),
  mode: "",

  initialize() {
    this.listenTo(this.bus, AUTH_DIALOG_WANTED, this.openFor);
  },

  /** `intent`: {to: "like this comment", act}. `to` completes the title; `act` is called after a sign-in. */
  openFor(mode, intent = null) {
    this.intent = intent;
    this.open(mode);
  },

  open(mode) {
    this.setMode(mode);
    this.form.fields.email.value ||= this.account.get("email") ?? "";
    this.showModal();
    this.form.fields[MODES[mode].first].focus();
  },

  setMode(mode) {
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
    this.showParts(mode);
    this.showOffers(null);
  },

  // The fields keep their values.
  changeMode({ delegateTarget: button }) {
    this.open(button.dataset.to);
  },

  openResendForm() {
    this.open(MODES[this.mode].again ?? this.mode);
  },

  send() {
    this.showOffers(null);
    return MODES[this.mode].act(this.account, this.form);
  },

  fail() {
    this.showOffers(this.form.problem);
  },

  // A request for an email signs nobody in. Neither does a sign-up if the address must be confirmed first.
  succeed() {
    if (MODES[this.mode].password && this.account.isSignedIn()) this.finish();
    else this.showSent();
  },

  finish() {
    this.announce(`Signed in as ${isolated(this.account.get("username"))}.`);
    this.close();
  },

  showSent() {
    const message = this.part("sent");
    message.textContent = MODES[this.mode].sent(this.form.fields.email.value);
    this.form.fields.password.value = "";
    this.show("sent", "Check your email");
    message.focus();
  },

  // For some statuses the page has a link that helps (`data-status`), for example to unlock the account.
  showOffers(problem) {
    for (const offer of this.el.querySelectorAll(".entry__offer")) {
      const isFor = offer.dataset.status?.split(" ").includes(String(problem?.status));
      offer.hidden = this.mode !== "signin" || !isFor;
    }
  },

  onClosed() {
    this.form.fields.password.value = "";
    this.bus.trigger(AUTH_DIALOG_CLOSED);
    const { intent } = this;
    this.intent = null;
    if (intent && this.account.isSignedIn()) intent.act();
  },
});
