const FIRST_MS = 500;
const MOST_MS = 30_000;

/**
 * The delay after the nth failure in a row: exponential back-off with an upper bound and jitter over the upper half.
 * Thousands of pages that lost the same server then do not reconnect at the same moment.
 * @param {number} failures
 */
export function backoff(failures) {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return most / 2 + Math.random() * (most / 2);
}
