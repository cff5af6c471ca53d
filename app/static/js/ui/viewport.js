// The part of the page that the reader sees, and moving it.

const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
/** @type {import("../embed/host.js").Host | null} */
let host = null;

/**
 * An embedded thread's iframe is as high as its content. Only the page around it (host.js) knows which part of the
 * iframe is visible, and only that page scrolls.
 */
export function setHost(embedding) {
  host = embedding;
}

export const prefersReducedMotion = () => reducedMotion.matches;

/** The visible part of the page, in the coordinates of `getBoundingClientRect`: {top, bottom}. */
export const viewport = () => host?.viewport ?? { top: 0, bottom: window.innerHeight };

/** Whether the person looks at this page: it is visible, and it or the page around it has the focus. */
export const isAttended = () =>
  document.visibilityState === "visible" && (document.hasFocus() || host?.hasFocus === true);

export const isRendered = (element) => element.getClientRects().length > 0;

export function isVisible(element) {
  const { top, bottom } = element.getBoundingClientRect();
  const visible = viewport();
  return bottom > visible.top && top < visible.bottom && isRendered(element); // isRendered costs most
}

/** Scroll to this element and focus it. */
export function bringIntoView(element, behavior = prefersReducedMotion() ? "instant" : "smooth") {
  element.focus({ preventScroll: true });
  if (host) host.show(element);
  else element.scrollIntoView({ block: "start", behavior });
}

/**
 * Scroll the page by `top`. Returns by how much the page will move without a change in `getBoundingClientRect`: `top`
 * if the host scrolls, because then the whole iframe moves; otherwise 0.
 */
export function scrollBy(top) {
  if (!host) window.scrollBy({ top, behavior: "instant" });
  return host ? host.scrollBy(top) : 0;
}
