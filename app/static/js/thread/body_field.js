const NEAR = 1_000; // characters: if fewer are left, their number is shown
const EMPTY = "Can't be empty";

const words = new Intl.NumberFormat("en");
/** @param {number} n */
const characters = (n) => `${words.format(n)} ${n === 1 ? "character" : "characters"}`;

/**
 * The field in which somebody writes a comment. Below it stands what is wrong with the text, and near the limit the number
 * of characters that are left. Characters are Unicode code points, as the server counts them.
 *
 * `field` is the `<textarea data-longest>`, `problem` and `left` are the elements below it.
 */
export class BodyField {
  #field;
  #problem;
  #left;
  #longest;

  /** @param {{ field: HTMLTextAreaElement, problem: HTMLElement, left: HTMLElement }} elements */
  constructor({ field, problem, left }) {
    this.#field = field;
    this.#problem = problem;
    this.#left = left;
    this.#longest = Number(field.dataset.longest) || Number.POSITIVE_INFINITY;
    this.#count();
  }

  /** The text has changed: remove the message about the old one. */
  changed() {
    this.#count();
    if (this.#field.hasAttribute("aria-invalid")) this.clear();
  }

  /** Whether the text may be sent. If not, show the reason and focus the field. */
  check() {
    const over = this.#over();
    if (this.#field.value.trim() === "") this.complain(EMPTY);
    else if (over > 0) this.complain(`${this.#limit()} Remove ${characters(over)}.`);
    else return true;
    this.#field.focus();
    return false;
  }

  /** @param {string} message */
  complain(message) {
    this.#problem.textContent = message;
    this.#problem.hidden = false;
    this.#field.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.#problem.hidden = true;
    this.#problem.textContent = "";
    this.#field.removeAttribute("aria-invalid");
  }

  #limit() {
    return `Too long: the limit is ${characters(this.#longest)}.`;
  }

  // A text never has more code points than its `length`.
  #over() {
    const { value } = this.#field;
    if (value.length <= this.#longest - NEAR) return Number.NEGATIVE_INFINITY;
    return Array.from(value).length - this.#longest;
  }

  #count() {
    const over = this.#over();
    this.#left.hidden = over < -NEAR;
    this.#left.classList.toggle("is-over", over > 0);
    if (this.#left.hidden) this.#left.textContent = "";
    else
      this.#left.textContent =
        over > 0 ? `${characters(over)} too many` : `${characters(-over)} left`;
  }
}
