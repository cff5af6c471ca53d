/** Parley's path prefix on its host: "" at the root, or "/talk". Every requested path starts with it. */
export const BASE = document.documentElement.dataset.base ?? "";

/**
 * A name for storage, locks and channels, which all pages of a host share. The prefix separates two Parleys there.
 * @param {string} name
 */
export const named = (name) => `${name}${BASE}`;

/**
 * The path of this commentable's page.
 * @param {string} place "Article/1"
 */
export const pageOf = (place) => `${BASE}/${place.split("/").map(encodeURIComponent).join("/")}`;

/**
 * The page of this commentable's comments: the host's page, if the server knows one, else our own.
 * @param {string} place
 */
export const homeOf = (place) => `${pageOf(place)}?host=1`;
