const FIRST_MS = 500;
const MOST_MS = 30_000;

/**
 * How long to wait after the nth failure in a row: doubling, bounded, and anywhere in the upper half of
 * that, so that thousands of pages which lost the same server do not come back at the same moment.
 * @param {number} failures
 */
export function backoff(failures) {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return most / 2 + Math.random() * (most / 2);
}
