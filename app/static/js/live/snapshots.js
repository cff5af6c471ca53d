import { backoff } from "../core/backoff.js";
import { Problem } from "../core/problem.js";

const PAGE = 50;
const LARGEST_PAGE = 100;
const UNAUTHORIZED = 401;
const MOST_PAGES = 20; // read again; whoever has loaded more begins anew with these

/**
 * Reads snapshots of one collection while the stream goes on. A state that the stream brings
 * during a read may be newer than the snapshot and outside what the collection holds, hence lost; so
 * `saw` keeps it until the read is over, and the snapshot is handed over with those states in it.
 *
 * One read at a time: a newer one makes an older one's answer void (its promise then stays pending).
 */
/** @typedef {Parley.Snapshot} Snapshot */
/** @typedef {{ before?: number | null, after?: number | null, around?: string, limit?: number }} Page which page is read */

/**
 * As much of a LiveCollection as is needed here.
 * @typedef {object} Read
 * @property {string} plural
 * @property {(page: Page) => Promise<Snapshot>} read
 * @property {{ prototype: { isPartial(state: Parley.State): boolean } }} model
 */

export class Snapshots {
  /** @type {Read} */ #collection;
  /** @type {Map<string, Parley.State>} */ #seen = new Map();
  #turn = 0;
  /** @type {((value?: unknown) => void)[]} */ #waiting = [];
  reading = false;

  /** @param {Read} collection */
  constructor(collection) {
    this.#collection = collection;
  }

  /** @param {Parley.State} state */
  saw(state) {
    const known = this.#seen.get(state.id);
    if (this.reading && isNewer(state, known)) this.#seen.set(state.id, { ...known, ...state });
  }

  /** Resolved once no read is under way. */
  async free() {
    while (this.reading) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * The newest pages, with so many objects or more. They are needed, so they are requested until they arrive.
   * @param {number} count
   */
  newest(count) {
    return this.#insist((turn) => this.#readNewest(count, turn));
  }

  /**
   * The pages from one `created_seq` (null: the beginning) to another; as `newest`.
   * @param {number | null} before
   * @param {number} after
   */
  between(before, after) {
    return this.#insist((turn) => this.#readUpwards(before, after, turn));
  }

  /**
   * One page: `{before}`, `{after}`, `{around}`, or `{}`, the newest. Rejected with a Problem.
   * @param {Page} which
   */
  async page(which) {
    const turn = this.#begin();
    try {
      return this.#completed(await this.#read(which, turn));
    } finally {
      if (turn === this.#turn) this.#end();
    }
  }

  /** What is being read is not wanted any more. */
  forget() {
    this.#turn += 1;
    this.#end();
  }

  #begin() {
    this.#seen.clear();
    this.reading = true;
    this.#turn += 1;
    return this.#turn;
  }

  #end() {
    this.reading = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** @param {(turn: number) => Promise<Snapshot>} read */
  async #insist(read) {
    const turn = this.#begin();
    for (let failures = 1; ; failures += 1) {
      try {
        return this.#completed(await read(turn));
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        // It is nobody's any more, and asking again is of no use. The stream will say whose it is.
        if (problem.status === UNAUTHORIZED) return this.#completed(nothing(this.#collection));
        await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
        if (turn !== this.#turn) return superseded();
      }
    }
  }

  /**
   * The stream brings the changes between two reads: it goes on from the first one's cursor.
   * @param {number} count
   * @param {number} turn
   */
  async #readNewest(count, turn) {
    const { plural } = this.#collection;
    const limit = Math.min(Math.max(count, PAGE), LARGEST_PAGE);
    let snapshot = await this.#read({ limit }, turn);
    for (let page = 1; isShort(snapshot, plural, count) && page < MOST_PAGES; page += 1) {
      const more = await this.#read({ before: snapshot.before, limit }, turn);
      snapshot = { ...joined(more, snapshot), cursor: snapshot.cursor };
    }
    return snapshot;
  }

  /**
   * @param {number | null} before
   * @param {number} after
   * @param {number} turn
   */
  async #readUpwards(before, after, turn) {
    const limit = LARGEST_PAGE;
    let snapshot = await this.#read({ after: before === null ? 0 : before - 1, limit }, turn);
    for (let page = 1; endsBelow(snapshot, after) && page < MOST_PAGES; page += 1) {
      const more = await this.#read({ after: snapshot.after, limit }, turn);
      snapshot = joined(snapshot, more);
    }
    return endsBelow(snapshot, after) ? snapshot : this.#cut(snapshot, after);
  }

  /**
   * A page may reach further than what is wanted.
   * @param {Snapshot} snapshot
   * @param {number} after
   */
  #cut(snapshot, after) {
    const { plural } = this.#collection;
    const states = snapshot[plural].filter(
      (/** @type {Parley.State} */ state) => state.created_seq <= after,
    );
    return { ...snapshot, after, [plural]: states };
  }

  /**
   * @param {Page} page
   * @param {number} turn
   */
  async #read(page, turn) {
    const snapshot = await this.#collection.read(page);
    return turn === this.#turn ? snapshot : superseded();
  }

  /** @param {Snapshot} snapshot */
  #completed(snapshot) {
    this.#end();
    const { plural } = this.#collection;
    /** @type {Map<string, Parley.State>} */
    const states = new Map();
    for (const state of snapshot[plural]) states.set(state.id, state);
    for (const state of this.#seen.values()) {
      const known = states.get(state.id);
      const isWhole = known || !this.#collection.model.prototype.isPartial(state);
      if (isWhole && isNewer(state, known)) states.set(state.id, { ...known, ...state });
    }
    return { ...snapshot, [plural]: [...states.values()] };
  }
}

/**
 * Two pages, the earlier one first; what each lists is listed together.
 * @param {Snapshot} one
 * @param {Snapshot} next
 * @returns {Snapshot}
 */
const joined = (one, next) => ({
  ..._.mapObject(one, (part, name) => (Array.isArray(part) ? [...part, ...next[name]] : part)),
  after: next.after,
});

/** @param {Read} collection */
const nothing = ({ plural }) => ({ [plural]: [], before: null, cursor: null });
/**
 * @param {Snapshot} snapshot
 * @param {string} plural
 * @param {number} count
 */
const isShort = (snapshot, plural, count) =>
  snapshot.before !== null && snapshot[plural].length < count;
/**
 * @param {Snapshot} snapshot
 * @param {number} after
 */
const endsBelow = ({ after: end = null }, after) => end !== null && end < after;
/**
 * @param {Parley.State} state
 * @param {Parley.State | undefined} known
 */
const isNewer = (state, known) => known === undefined || state.seq > known.seq;
/** @returns {Promise<never>} */
const superseded = () => new Promise(() => {});
