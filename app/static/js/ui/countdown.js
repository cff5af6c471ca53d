import { counted } from "./counted.js";

const SECOND_MS = 1_000;
const RETRY_SENTENCE = /Try again in \d+ (?:seconds?|minutes?)\./;
const RETRY_NOW = "You can try again now.";

/** Counts down the number in a message like "Too many attempts. Try again in 60 seconds." */
export class Countdown {
  #timer = 0;

  /**
   * Write `message` into `element`; if it says when to try again, count down from `seconds`.
   * @type {(element: HTMLElement, message: string, seconds: number) => void}
   */
  show(element, message, seconds) {
    this.stop();
    element.textContent = message;
    const [sentence] = RETRY_SENTENCE.exec(message) ?? [];
    if (!sentence || !(seconds > 0)) return;
    const [before, after] = message.split(sentence);
    const part = document.createElement("span");
    part.setAttribute("role", "timer"); // screen readers do not announce each second
    element.replaceChildren(before, part, after);
    const end = Date.now() + seconds * SECOND_MS;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / SECOND_MS);
      part.textContent = left > 0 ? `Try again in ${formatWait(left)}.` : RETRY_NOW;
      if (left <= 0) this.stop();
    };
    tick();
    this.#timer = setInterval(tick, SECOND_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }
}

// In the words of the server's message (app/errors.py).
/** @param {number} seconds */
function formatWait(seconds) {
  if (seconds >= 90) return `${Math.ceil(seconds / 60)} minutes`;
  return counted(seconds, "second");
}
