const SECOND_MS = 1_000;
const WAIT = /Try again in \d+ (?:seconds?|minutes?)\./;
const OVER = "You can try again now.";

/** Counts down the number in a message like "Too many attempts. Try again in 60 seconds." */
export class Countdown {
  #timer = 0;

  /**
   * Write `message` into `element`; if it says when to try again, count down from `seconds`.
   * @param {HTMLElement} element
   * @param {string} message
   * @param {number} seconds
   */
  show(element, message, seconds) {
    this.stop();
    element.textContent = message;
    const [wait] = WAIT.exec(message) ?? [];
    if (!wait || !(seconds > 0)) return;
    const [before, after] = message.split(wait);
    const part = document.createElement("span");
    part.setAttribute("role", "timer"); // not read out every second
    element.replaceChildren(before, part, after);
    const end = Date.now() + seconds * SECOND_MS;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / SECOND_MS);
      part.textContent = left > 0 ? `Try again in ${spoken(left)}.` : OVER;
      if (left <= 0) this.stop();
    };
    tick();
    this.#timer = setInterval(tick, SECOND_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }
}

// In the server's words (refusals.py).
/** @param {number} seconds */
function spoken(seconds) {
  if (seconds >= 90) return `${Math.ceil(seconds / 60)} minutes`;
  return seconds === 1 ? "1 second" : `${seconds} seconds`;
}
