import { ANNOUNCEMENT, ENTRY_CLOSED, ENTRY_WANTED } from "./events.js";

const WORDS = {
  signin: { title: "Welcome back", submit: "Sign in", password: "current-password" },
  signup: { title: "Create an account", submit: "Sign up", password: "new-password" },
};

/** Sign in and sign up, in a dialog over whatever page one is on. `el` is the `<dialog>`. */
export const EntryView = Backbone.View.extend({
  events: {
    submit: "submit",
    close: "closed",
    click: "clickOutside",
    "click .entry__close": "close",
    "click .entry__to-signup": "toSignUp",
    "click .entry__to-signin": "toSignIn",
  },

  initialize({ bus }) {
    this.bus = bus;
    this.form = this.el.querySelector("form");
    this.listenTo(bus, ENTRY_WANTED, this.open);
  },

  open(mode) {
    this.turn(mode);
    if (!this.el.open) this.el.showModal();
    this.form.elements[mode === "signup" ? "username" : "email"].focus();
  },

  turn(mode) {
    this.mode = mode;
    this.el.dataset.mode = mode;
    this.el.querySelector(".entry__title").textContent = WORDS[mode].title;
    this.el.querySelector(".entry__submit").textContent = WORDS[mode].submit;
    this.form.elements.password.autocomplete = WORDS[mode].password;
    for (const part of this.el.querySelectorAll("[data-only]")) {
      part.hidden = part.dataset.only !== mode;
    }
    this.clearProblems();
  },

  toSignUp() {
    this.open("signup");
  },

  toSignIn() {
    this.open("signin");
  },

  async submit(event) {
    event.preventDefault();
    this.clearProblems();
    this.busy(true);
    try {
      await this.enter();
      this.bus.trigger(ANNOUNCEMENT, `Signed in as ${this.model.get("username")}.`);
      this.close();
    } catch (problem) {
      this.showProblem(problem);
    } finally {
      this.busy(false);
    }
  },

  enter() {
    const { email, username, password, remember_me } = this.form.elements;
    if (this.mode === "signup") {
      return this.model.signUp({
        email: email.value,
        username: username.value,
        password: password.value,
      });
    }
    return this.model.signIn({
      email: email.value,
      password: password.value,
      remember_me: remember_me.checked,
    });
  },

  busy(busy) {
    this.el.querySelector(".entry__submit").disabled = busy;
  },

  // Each error stands next to its field; what belongs to no field, above them.
  showProblem(problem) {
    const rest = problem.errors.filter((error) => !this.showError(error));
    const general = problem.errors.length === 0 || rest.length > 0;
    if (general) this.say(rest.map((error) => error.detail).join(" ") || problem.message);
    this.form.querySelector("[aria-invalid=true]")?.focus();
  },

  showError({ field, detail }) {
    const input = this.form.elements[field];
    const note = this.form.querySelector(`.field__error[data-field="${CSS.escape(field)}"]`);
    if (!note || input.closest("[hidden]")) return false;
    note.textContent = detail;
    note.hidden = false;
    input.setAttribute("aria-invalid", "true");
    return true;
  },

  say(message) {
    const note = this.el.querySelector(".entry__problem");
    note.textContent = message;
    note.hidden = false;
  },

  clearProblems() {
    for (const note of this.el.querySelectorAll(".field__error, .entry__problem")) {
      note.hidden = true;
      note.textContent = "";
    }
    for (const input of this.form.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
    }
  },

  close() {
    this.el.close();
  },

  clickOutside(event) {
    if (event.target === this.el) this.close();
  },

  closed() {
    this.form.elements.password.value = "";
    this.bus.trigger(ENTRY_CLOSED);
  },
});
