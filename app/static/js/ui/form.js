import { Countdown } from "./countdown.js";

const REQUIRED = "Required";

/**
 * The fields of a form, its submission and its errors. The error of a field is shown beside the field, other errors
 * above all fields. `el` has named inputs, `.field__error[data-field]` and `.form__problem`.
 */
export class Form {
  /** Why the server refused the last submission, or null. */
  problem = /** @type {Parley.Problem | null} */ (null);
  #el;
  #version = 0; // a submission of an older version is ignored when it ends
  #isBusy = false;
  #countdown = new Countdown();

  constructor(el) {
    this.#el = el;
    el.addEventListener("input", () => this.#clearDone());
  }

  get fields() {
    return this.#el.elements;
  }

  /** {name: value} of the fields with these names. */
  values(...names) {
    return Object.fromEntries(names.map((name) => [name, this.fields[name].value]));
  }

  /**
   * Call `act` () and wait for it, unless a field is missing or an earlier call is still running. Returns whether it
   * succeeded. If it did not, the form shows the error.
   */
  async send(act) {
    if (this.#isBusy || !this.check()) return false;
    const version = this.#begin();
    try {
      await act();
      return version === this.#version;
    } catch (problem) {
      if (version === this.#version) this.showRefusal(problem);
      return false;
    } finally {
      if (version === this.#version) this.#setBusy(false);
    }
  }

  /** Whether every required field has a value. The others get an error. */
  check() {
    this.#clearNotes();
    const empty = Array.from(this.fields).filter(
      (input) => isRequired(input) && input.value === "",
    );
    for (const input of empty) this.#showError({ field: input.name, detail: REQUIRED });
    empty[0]?.focus();
    return empty.length === 0;
  }

  /** Show why the server refused the submission, and focus the first invalid field. */
  showRefusal(problem) {
    this.problem = problem;
    const rest = problem.errors.filter((error) => !this.#showError(error));
    const isGeneral = problem.errors.length === 0 || rest.length > 0;
    if (isGeneral)
      this.#showProblem(rest.map((error) => error.detail).join(" ") || problem.message);
    this.#el.querySelector("[aria-invalid=true]")?.focus();
  }

  /** Remove all errors. The result of a running submission will be ignored. */
  clear() {
    this.#version += 1;
    this.#setBusy(false);
    this.#clearNotes();
  }

  /** Restore the values that the page came with, and remove all errors. */
  reset() {
    this.#el.reset();
    this.clear();
  }

  /** Show that the change was made, until the next input. */
  showDone(message) {
    this.#el.querySelector(".form__done").textContent = message;
  }

  #begin() {
    this.#version += 1;
    this.#setBusy(true);
    return this.#version;
  }

  // The button is not `disabled`, because it would lose the focus.
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.#el.setAttribute("aria-busy", isBusy);
  }

  #showError({ field, detail }) {
    const input = this.fields[field];
    const note = this.#el.querySelector(`.field__error[data-field="${CSS.escape(field)}"]`);
    if (!note || input.closest("[hidden]")) return false;
    note.textContent = detail;
    note.hidden = false;
    input.setAttribute("aria-invalid", "true");
    return true;
  }

  #showProblem(message) {
    const note = this.#el.querySelector(".form__problem");
    this.#countdown.show(note, message, this.problem?.retryAfter ?? 0);
    note.hidden = false;
  }

  #clearDone() {
    for (const note of this.#el.querySelectorAll(".form__done")) note.textContent = "";
  }

  #clearNotes() {
    this.problem = null;
    this.#clearDone();
    this.#countdown.stop();
    for (const note of this.#el.querySelectorAll(".field__error, .form__problem")) {
      note.hidden = true;
      note.textContent = "";
    }
    for (const input of this.#el.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
    }
  }
}

const isRequired = (input) =>
  input.getAttribute("aria-required") === "true" && !input.closest("[hidden]");
