import { backoff } from "../core/backoff.js";
import { Problem } from "../core/problem.js";

const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 100;
const UNAUTHORIZED = 401;
const MAX_PAGES = 20; // that are read again; a larger window becomes smaller

/** @typedef {Parley.Snapshot} Snapshot */
/** @typedef {{ before?: number | null, after?: number | null, around?: string, limit?: number }} Page */

/**
 * The members of a LiveCollection that are needed here.
 * @typedef {object} Source
 * @property {string} plural
 * @property {(page: Page) => Promise<Snapshot>} read
 * @property {{ prototype: { isPartial(state: Parley.State): boolean } }} model
 */

/**
 * Reads snapshots of one collection while the stream continues. During a read, the stream may deliver a state that is
 * newer than the snapshot and outside of the collection's window. `receive` remembers such states until the read ends,
 * and the snapshot is returned with them, so that they are not lost.
 *
 * There is one read at a time. A newer read supersedes an older one, whose promise then stays pending.
 */
export class Snapshots {
  /** @type {Source} */ #collection;
  /** @type {Map<string, Parley.State>} */ #received = new Map();
  #readNumber = 0; // of the latest read
  /** @type {((value?: unknown) => void)[]} */ #idleCallbacks = [];
  reading = false;

  /** @param {Source} collection */
  constructor(collection) {
    this.#collection = collection;
  }

  /** @param {Parley.State} state */
  receive(state) {
    const known = this.#received.get(state.id);
    if (this.reading && isNewer(state, known)) this.#received.set(state.id, { ...known, ...state });
  }

  /** Resolves when no read is in progress. */
  async whenIdle() {
    while (this.reading) await new Promise((resolve) => this.#idleCallbacks.push(resolve));
  }

  /**
   * The newest pages, with so many objects or more. A failed read is retried until it succeeds. The stream delivers the
   * changes between two reads, because it continues from the cursor of the first read.
   * @param {number} count
   */
  newest(count) {
    const { plural } = this.#collection;
    const limit = Math.min(Math.max(count, PAGE_SIZE), MAX_PAGE_SIZE);
    return this.#readUntilDone(async (read) => {
      let snapshot = await read({ limit });
      for (let page = 1; isShort(snapshot, plural, count) && page < MAX_PAGES; page += 1) {
        const more = await read({ before: snapshot.before, limit });
        snapshot = { ...joined(more, snapshot), cursor: snapshot.cursor };
      }
      return snapshot;
    });
  }

  /**
   * The pages from one `created_seq` (null: the beginning) to another; as `newest`.
   * @type {(before: number | null, after: number) => Promise<Snapshot>}
   */
  between(before, after) {
    const { plural } = this.#collection;
    const limit = MAX_PAGE_SIZE;
    return this.#readUntilDone(async (read) => {
      let snapshot = await read({ after: before === null ? 0 : before - 1, limit });
      for (let page = 1; endsBelow(snapshot, after) && page < MAX_PAGES; page += 1) {
        snapshot = joined(snapshot, await read({ after: snapshot.after, limit }));
      }
      return endsBelow(snapshot, after) ? snapshot : cut(snapshot, plural, after);
    });
  }

  /**
   * One page: `{before}`, `{after}`, `{around}`, or `{}`, the newest. Rejected with a Problem.
   * @param {Page} which
   */
  async page(which) {
    const number = this.#begin();
    try {
      return this.#complete(await this.#read(which, number));
    } finally {
      if (number === this.#readNumber) this.#end();
    }
  }

  cancel() {
    this.#readNumber += 1;
    this.#end();
  }

  #begin() {
    this.#received.clear();
    this.reading = true;
    this.#readNumber += 1;
    return this.#readNumber;
  }

  #end() {
    this.reading = false;
    for (const resolve of this.#idleCallbacks.splice(0)) resolve();
  }

  /** @param {(read: (page: Page) => Promise<Snapshot>) => Promise<Snapshot>} readAll */
  async #readUntilDone(readAll) {
    const number = this.#begin();
    for (let failures = 1; ; failures += 1) {
      try {
        return this.#complete(await readAll((page) => this.#read(page, number)));
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        // The account is not signed in any more, so a retry is useless. The stream's `auth` event follows.
        if (problem.status === UNAUTHORIZED) return this.#complete(emptySnapshot(this.#collection));
        await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
        if (number !== this.#readNumber) return superseded();
      }
    }
  }

  /** @type {(page: Page, number: number) => Promise<Snapshot>} */
  async #read(page, number) {
    const snapshot = await this.#collection.read(page);
    return number === this.#readNumber ? snapshot : superseded();
  }

  /** @param {Snapshot} snapshot */
  #complete(snapshot) {
    this.#end();
    const { plural } = this.#collection;
    /** @type {Map<string, Parley.State>} */
    const states = new Map();
    for (const state of snapshot[plural]) states.set(state.id, state);
    for (const state of this.#received.values()) {
      const known = states.get(state.id);
      const isWhole = known || !this.#collection.model.prototype.isPartial(state);
      if (isWhole && isNewer(state, known)) states.set(state.id, { ...known, ...state });
    }
    return { ...snapshot, [plural]: [...states.values()] };
  }
}

/**
 * Two pages as one, the earlier one first. Their lists are concatenated.
 * @type {(one: Snapshot, next: Snapshot) => Snapshot}
 */
const joined = (one, next) => ({
  ..._.mapObject(one, (part, name) => (Array.isArray(part) ? [...part, ...next[name]] : part)),
  after: next.after,
});

/**
 * The last page may contain objects beyond `after`.
 * @type {(snapshot: Snapshot, plural: string, after: number) => Snapshot}
 */
const cut = (snapshot, plural, after) => ({
  ...snapshot,
  after,
  [plural]: snapshot[plural].filter(
    (/** @type {Parley.State} */ state) => state.created_seq <= after,
  ),
});

/** @type {(collection: { plural: string }) => Snapshot} */
export const emptySnapshot = ({ plural }) => ({ [plural]: [], before: null, cursor: null });
/** @type {(snapshot: Snapshot, plural: string, count: number) => boolean} */
const isShort = (snapshot, plural, count) =>
  snapshot.before !== null && snapshot[plural].length < count;
/** @type {(snapshot: Snapshot, after: number) => boolean} */
const endsBelow = ({ after: end = null }, after) => end !== null && end < after;
/** @type {(state: Parley.State, known?: Parley.State) => boolean} */
const isNewer = (state, known) => known === undefined || state.seq > known.seq;
/** @returns {Promise<never>} */
const superseded = () => new Promise(() => {});
