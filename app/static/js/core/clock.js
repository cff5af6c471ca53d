import { BASE } from "./base.js";

const MIN_OFFSET_MS = 60_000; // smaller offsets do not matter: relative times are precise to one minute
const NOW = "now";
const JUST_NOW = "just now";

/** How far this browser's clock is ahead of the server's, in milliseconds. */
let offset = 0;

/**
 * Show all times relative to the server's clock, so that a clock that is hours wrong does not make a new comment hours
 * old. The page says when the server rendered it (`renderedAt`, ISO 8601). If that differs much from this clock, one
 * request for the `Date` header (RFC 9110, 6.6.1) tells a wrong clock from a page that was stored for reading offline.
 * @param {string} renderedAt
 */
export async function startClock(renderedAt) {
  customElements.whenDefined("relative-time").then(correctTimes);
  if (Math.abs(Date.now() - Date.parse(renderedAt)) < MIN_OFFSET_MS) return;
  const request = fetch(`${BASE}/healthz`, { method: "HEAD", cache: "no-store" });
  const response = await request.catch(() => null);
  const measured = Date.now() - Date.parse(response?.headers.get("Date") ?? "");
  if (Math.abs(measured) < MIN_OFFSET_MS || Number.isNaN(measured)) return;
  offset = measured;
  for (const element of relativeTimes()) element.update?.();
}

/** @param {CustomElementConstructor} Element the class of `<relative-time>` */
function correctTimes({ prototype }) {
  const { get, set } = Object.getOwnPropertyDescriptor(prototype, "date") ?? {};
  const { update } = prototype;
  Object.defineProperty(prototype, "date", {
    configurable: true,
    set,
    get() {
      const date = get?.call(this);
      return date && new Date(Math.min(date.getTime() + offset, Date.now())); // never later than now
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
