const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;

/**
 * The delay after the nth failure in a row: exponential back-off with an upper bound and jitter over the upper half.
 * Thousands of pages that lost the same server then do not reconnect at the same moment.
 * @param {number} failures
 */
export function backoff(failures) {
  const limit = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
  return (limit / 2) * (1 + Math.random());
}
