// The address of a stream. nginx and others refuse a request line over 8 KB, so its length is computed and bounded.

import { BASE } from "../core/base.js";

/**
 * @param {object} asked
 * @param {string[]} asked.topics
 * @param {string[]} asked.cursors
 * @param {string | null} asked.user an account's id, or null
 * @param {boolean} [asked.presence]
 * @param {boolean} [asked.once]
 */
export function streamAddress({ topics, cursors, user, presence, once }) {
  const query = [
    ...topics.map(topicParameter),
    ...cursorsOf(cursors).map(cursorParameter),
    `user=${encode(user ?? "")}`,
  ];
  if (presence) query.push("presence=1");
  if (once) query.push("once=1");
  return `${BASE}/streams?${query.join("&")}`;
}

/**
 * The cursors of these positions. A position is one cursor, or several with commas between them (changes_source.js).
 * @param {string[]} positions
 */
export const cursorsOf = (positions) => _.uniq(positions.flatMap((one) => one.split(",")));
/** @param {string} topic */
export const topicParameter = (topic) => `topic=${encode(topic)}`;
/** @param {string} cursor */
export const cursorParameter = (cursor) => `cursor=${encode(cursor)}`;

/**
 * Characters of the request line for this address, on HTTP/1.1.
 * @param {string} address
 */
export const lineLength = (address) => "GET  HTTP/1.1".length + address.length;

/**
 * Shorter than URLSearchParams: the tildes of cursors stay as they are (RFC 3986, 2.3). Browsers quote apostrophes.
 * @param {string} text
 */
export const encode = (text) => encodeURIComponent(text).replace(/'/g, "%27");
