/** Where on its host Parley is: "" at the root, or as the server says, "/talk". Every path that is asked for begins so. */
export const BASE = document.documentElement.dataset.base ?? "";

/**
 * A name in what all pages of a host share: storage, locks, channels. Another Parley there has others.
 * @param {string} name
 */
export const named = (name) => `${name}${BASE}`;

/**
 * Where the page of this commentable is.
 * @param {string} place "Article/1"
 */
export const pageOf = (place) => `${BASE}/${place.split("/").map(encodeURIComponent).join("/")}`;

/**
 * The page of this commentable's comments: the host's page, if the server knows one, else our own.
 * @param {string} place
 */
export const homeOf = (place) => `${pageOf(place)}?host=1`;
