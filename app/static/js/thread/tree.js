/**
 * The elements of one list in the order of a conversation: each comment is followed by its replies, in the order in
 * which they were written. A row is a view with its `el`. Its key determines its place: the `created_seq` of each
 * comment that it is drawn under, from the top level down, and then its own.
 */
/** @typedef {{ el: Element, remove(): void }} Row */
/** @typedef {number[]} Key */

export class Tree {
  /** @type {Element} */ #list;
  /** @type {{ view: Row, key: Key }[]} */ #rows = [];
  #newestFirst = false;

  /** @param {Element} list */
  constructor(list) {
    this.#list = list;
  }

  /**
   * Whether the newest comments come first. This concerns the top level only; replies stay in the order in which they
   * were written.
   * @param {boolean} newestFirst
   */
  setNewestFirst(newestFirst) {
    this.#newestFirst = newestFirst;
    this.arrange();
  }

  /**
   * Insert a row, or move it because its key has changed. Only its own element moves, because a moved element loses the
   * focus.
   * @type {(view: Row, key: Key) => void}
   */
  place(view, key) {
    this.#forget(view);
    const index = this.#indexOf(key);
    this.#rows.splice(index, 0, { view, key });
    this.#put(view.el, this.#rows[index + 1]?.view.el ?? null);
  }

  /**
   * Add a row without moving its element. Call `arrange` after the last one.
   * @type {(view: Row, key: Key) => void}
   */
  adopt(view, key) {
    this.#rows.push({ view, key });
  }

  arrange() {
    this.#rows.sort((one, other) => this.#compare(one.key, other.key));
    let next = /** @type {Element | null} */ (null);
    for (const { view } of this.#rows.toReversed()) {
      this.#put(view.el, next);
      next = view.el;
    }
  }

  /** @param {Row} view */
  remove(view) {
    this.#forget(view);
    view.remove();
  }

  /** @param {Row} view */
  #forget(view) {
    const index = this.#rows.findIndex((row) => row.view === view);
    if (index >= 0) this.#rows.splice(index, 1);
  }

  /** @type {(element: Element, next: Element | null) => void} */
  #put(element, next) {
    const isInPlace = element.parentNode === this.#list && element.nextElementSibling === next;
    if (!isInPlace) this.#list.insertBefore(element, next);
  }

  /**
   * The index after all rows that are not later.
   * @param {Key} key
   */
  #indexOf(key) {
    let [from, to] = [0, this.#rows.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#compare(this.#rows[middle].key, key) <= 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /**
   * @param {Key} one
   * @param {Key} other
   */
  #compare(one, other) {
    const at = one.findIndex((seq, level) => seq !== other[level]);
    if (at < 0) return one.length - other.length;
    if (at >= other.length) return 1;
    const later = one[at] > other[at] ? 1 : -1;
    return at === 0 && this.#newestFirst ? -later : later;
  }
}

/**
 * A comment's key, with those comments of its path that are known. Unsent comments come last.
 * @param {string[]} path ids
 * @param {number | undefined} seq
 * @param {(id: string) => number | undefined} seqOf
 * @returns {Key}
 */
export function keyOf(path, seq, seqOf) {
  const above = path.map(seqOf).filter((known) => known !== undefined);
  return [...above, seq ?? Number.POSITIVE_INFINITY];
}
