// The rules for a comment that a person reads in its thread: how much of it must be visible, and for how long.

export const READING_MS = 2_000;

/** Whether half of a comment is visible, or it fills the window. Both are {top, bottom}. */
export function isReadable({ top, bottom }, window) {
  const shown = Math.min(bottom, window.bottom) - Math.max(top, window.top);
  return shown > 0 && (shown >= (bottom - top) / 2 || shown >= window.bottom - window.top);
}

/** Finds out when something has been readable for `READING_MS` without a break. */
export class ReadingTimes {
  #since = new Map();
  #read = new Set();

  /** `readable`: the things that can be read at `now`. Returns those that have been read, each of them once. */
  update(readable, now) {
    this.#since = new Map(readable.map((one) => [one, this.#since.get(one) ?? now]));
    const read = readable.filter(
      (one) => !this.#read.has(one) && now - this.#since.get(one) >= READING_MS,
    );
    for (const one of read) this.#read.add(one);
    return read;
  }
}
