import { BASE } from "./base.js";

const MIN_OFFSET_MS = 60_000; // smaller offsets do not matter: relative times are precise to one minute
const NOW = "now";
const JUST_NOW = "just now";

/**
 * How far this browser's clock is ahead of the server's, in milliseconds. Times are shown relative to the server's
 * clock, so a clock that is hours wrong does not make a new comment hours old.
 *
 * The page says when the server rendered it. If that differs much from this clock, one request for the `Date` header
 * (RFC 9110, 6.6.1) tells a wrong clock from a page that was stored for reading offline.
 */
class Clock {
  #offset = 0;

  /**
   * Resolves when the offset is known, or could not be measured.
   * @param {string} renderedAt the server's time in the page, ISO 8601
   */
  async set(renderedAt) {
    if (Math.abs(Date.now() - Date.parse(renderedAt)) < MIN_OFFSET_MS) return;
    const response = await fetch(`${BASE}/healthz`, { method: "HEAD", cache: "no-store" }).catch(
      () => null,
    );
    const date = Date.parse(response?.headers.get("Date") ?? "");
    const offset = Date.now() - date;
    if (Math.abs(offset) < MIN_OFFSET_MS || Number.isNaN(offset)) return;
    this.#offset = offset;
    for (const element of relativeTimes()) element.update?.();
  }

  /**
   * The server's instant on this browser's clock, and never later than now.
   * @param {Date} date
   */
  local(date) {
    return new Date(Math.min(date.getTime() + this.#offset, Date.now()));
  }
}

/**
 * Show all times relative to the server's clock.
 * @param {string} renderedAt the server's time in the page, ISO 8601
 */
export function startClock(renderedAt) {
  const clock = new Clock();
  customElements.whenDefined("relative-time").then((Element) => correctTimes(clock, Element));
  clock.set(renderedAt);
}

/**
 * Correct all `<relative-time>` elements by this clock.
 * @param {Clock} clock
 * @param {CustomElementConstructor} Element their class
 */
function correctTimes(clock, Element) {
  const { prototype } = Element;
  const { get, set } = Object.getOwnPropertyDescriptor(prototype, "date") ?? {};
  const { update } = prototype;
  Object.defineProperty(prototype, "date", {
    configurable: true,
    set,
    get() {
      const date = get?.call(this);
      return date && clock.local(date);
    },
  });
  // Intl says "now" for anything within ten seconds.
  prototype.update = function () {
    update.call(this);
    const text = this.shadowRoot?.firstElementChild;
    if (text?.textContent === NOW) text.textContent = JUST_NOW;
  };
  for (const element of relativeTimes()) element.update();
}

/** @returns {NodeListOf<HTMLElement & { update(): void }>} */
const relativeTimes = () => document.querySelectorAll("relative-time");
