// Long comments are folded: 30 lines are shown, and a button shows the rest. Only the text decides, as on the server
// (app/comments/folding.py). If the browser measured the height instead, the content below would move.

const MAX_LINES = 40; // shown without folding
const UNITS_PER_LINE = 80; // UTF-16 code units that fit in one line of a wide window
const LESS = "Show less";
const MORE = "Show more";

/**
 * Whether a text is folded.
 * @param {string} text
 */
export function isLong(text) {
  const lines = text
    .split("\n")
    .map((line) => Math.max(1, Math.ceil(line.length / UNITS_PER_LINE)));
  return lines.reduce((sum, count) => sum + count, 0) > MAX_LINES;
}

/**
 * Fold the comment in this element if its text is long. A comment that somebody has unfolded stays unfolded.
 * @type {(element: HTMLElement, text: string) => void}
 */
export function fold(element, text) {
  const long = isLong(text);
  element.querySelector(".comment__body").classList.toggle("is-long", long);
  element.querySelector(".comment__unfold").hidden = !long;
}

/**
 * Show all of the comment in this element, or fold it again.
 * @param {HTMLElement} element
 */
export function unfold(element, shown = true) {
  const button = element.querySelector(".comment__unfold");
  element.querySelector(".comment__body").classList.toggle("is-unfolded", shown);
  button.setAttribute("aria-expanded", `${shown}`);
  button.textContent = shown ? LESS : MORE;
}
