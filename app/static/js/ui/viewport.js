// What of the page is before the reader's eyes.

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
/** @type {import("../embed/host.js").Host | null} */
let host = null;

/** In an iframe that is as high as its content only its host (host.js) knows what is seen of it, and scrolls. */
export function lookThrough(eyes) {
  host = eyes;
}

/** Does this reader want things not to move? */
export const wantsCalm = () => calm.matches;

/** What is seen, as `getBoundingClientRect` measures: {top, bottom}. */
export const sight = () => host?.sight ?? { top: 0, bottom: window.innerHeight };

export const isRendered = (element) => element.getClientRects().length > 0;

export function isVisible(element) {
  const { top, bottom } = element.getBoundingClientRect();
  const seen = sight();
  return bottom > seen.top && top < seen.bottom && isRendered(element); // the last costs most
}

/** Go there, with eyes and keys. */
export function bringIntoView(element, behavior = wantsCalm() ? "instant" : "smooth") {
  element.focus({ preventScroll: true });
  if (host) host.show(element);
  else element.scrollIntoView({ block: "start", behavior });
}

/** Answers how far what is seen will have moved without anybody being able to measure it: a host scrolls around us. */
export function scrollBy(top) {
  if (!host) window.scrollBy({ top, behavior: "instant" });
  return host ? host.scrollBy(top) : 0;
}
