const COUNTER_CHARACTERS = 1_000; // if fewer are left, their number is shown
const EMPTY = "Can't be empty";

const numberFormat = new Intl.NumberFormat("en");
/** @param {number} n */
const characters = (n) => `${numberFormat.format(n)} ${n === 1 ? "character" : "characters"}`;

/**
 * The field for a comment's text. Below it are the message about an invalid text and, near the limit, the number of
 * characters that are left. Characters are Unicode code points, as the server counts them.
 *
 * `field` is the `<textarea data-longest>`, `problem` and `left` are the elements below it.
 */
export class BodyField {
  #field;
  #problem;
  #left;
  #maxLength;

  /** @param {{ field: HTMLTextAreaElement, problem: HTMLElement, left: HTMLElement }} elements */
  constructor({ field, problem, left }) {
    this.#field = field;
    this.#problem = problem;
    this.#left = left;
    this.#maxLength = Number(field.dataset.longest) || Number.POSITIVE_INFINITY;
    this.#count();
  }

  /** The text was edited: count again, and hide the message about the previous text. */
  update() {
    this.#count();
    if (this.#field.hasAttribute("aria-invalid")) this.clear();
  }

  /** Whether the text may be sent. If not, show the reason and focus the field. */
  check() {
    const over = this.#over();
    if (this.#field.value.trim() === "") this.showProblem(EMPTY);
    else if (over > 0)
      this.showProblem(
        `Too long: the limit is ${characters(this.#maxLength)}. Remove ${characters(over)}.`,
      );
    else return true;
    this.#field.focus();
    return false;
  }

  /** @param {string} message */
  showProblem(message) {
    this.#problem.textContent = message;
    this.#problem.hidden = false;
    this.#field.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.#problem.hidden = true;
    this.#problem.textContent = "";
    this.#field.removeAttribute("aria-invalid");
  }

  // A text never has more code points than its `length`.
  #over() {
    const { value } = this.#field;
    if (value.length <= this.#maxLength - COUNTER_CHARACTERS) return Number.NEGATIVE_INFINITY;
    return Array.from(value).length - this.#maxLength;
  }

  #count() {
    const over = this.#over();
    this.#left.hidden = over < -COUNTER_CHARACTERS;
    this.#left.classList.toggle("is-over", over > 0);
    if (this.#left.hidden) this.#left.textContent = "";
    else
      this.#left.textContent =
        over > 0 ? `${characters(over)} too many` : `${characters(-over)} left`;
  }
}
