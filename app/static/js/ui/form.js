import { Countdown } from "./countdown.js";

const REQUIRED = "Required";

/**
 * What is typed in a form, and what is wrong with it: each error next to its field, what belongs to no field
 * above them. `el` has inputs by name, `.field__error[data-field]` and `.form__problem`.
 */
export class Form {
  /** Why the server refused the last try, or null. */
  problem = /** @type {Parley.Problem | null} */ (null);
  #el;
  #turn = 0;
  #busy = false;
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

  /** Does `act`, one at a time, if nothing is missing. Answers whether it went through; if not, the form says why. */
  async send(act) {
    if (this.#busy || !this.check()) return false;
    const turn = this.#begin();
    try {
      await act();
      return turn === this.#turn;
    } catch (problem) {
      if (turn === this.#turn) this.complain(problem);
      return false;
    } finally {
      if (turn === this.#turn) this.#setBusy(false);
    }
  }

  /** Is there something in every field that needs it? The form says where there is not. */
  check() {
    this.#clearNotes();
    const empty = Array.from(this.fields).filter((input) => isWanted(input) && input.value === "");
    for (const input of empty) this.#showError({ field: input.name, detail: REQUIRED });
    empty[0]?.focus();
    return empty.length === 0;
  }

  /** Show why it was refused, and go where it can be mended. */
  complain(problem) {
    this.problem = problem;
    const rest = problem.errors.filter((error) => !this.#showError(error));
    const general = problem.errors.length === 0 || rest.length > 0;
    if (general) this.#say(rest.map((error) => error.detail).join(" ") || problem.message);
    this.#el.querySelector("[aria-invalid=true]")?.focus();
  }

  /** Nothing was ever wrong, and what is still under way is no longer this form's. */
  clear() {
    this.#turn += 1;
    this.#setBusy(false);
    this.#clearNotes();
  }

  /** As it came with the page. */
  reset() {
    this.#el.reset();
    this.clear();
  }

  /** Show that the change was made, until the next input. */
  showDone(message) {
    this.#el.querySelector(".form__done").textContent = message;
  }

  #begin() {
    this.#turn += 1;
    this.#setBusy(true);
    return this.#turn;
  }

  // Not `disabled`, which would take the focus out of the button.
  #setBusy(busy) {
    this.#busy = busy;
    this.#el.setAttribute("aria-busy", busy);
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

  #say(message) {
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

const isWanted = (input) =>
  input.getAttribute("aria-required") === "true" && !input.closest("[hidden]");
