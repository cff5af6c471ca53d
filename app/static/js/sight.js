// What of the page is before the reader's eyes.

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Does this reader want things not to move? */
export const wantsCalm = () => calm.matches;

export const isRendered = (element) => element.getClientRects().length > 0;

export function isVisible(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return isRendered(element) && bottom > 0 && top < window.innerHeight;
}

/** Go there, with eyes and keys. */
export function bringIntoView(element) {
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "start", behavior: wantsCalm() ? "instant" : "smooth" });
}
