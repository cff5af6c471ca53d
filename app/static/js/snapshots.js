import { backoff } from "./backoff.js";
import { Problem } from "./problem.js";

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
export class Snapshots {
  #collection;
  #seen = new Map();
  #turn = 0;
  #waiting = [];
  reading = false;

  constructor(collection) {
    this.#collection = collection;
  }

  saw(state) {
    const known = this.#seen.get(state.id);
    if (this.reading && isNewer(state, known)) this.#seen.set(state.id, { ...known, ...state });
  }

  /** Resolved once no read is under way. */
  async free() {
    while (this.reading) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The newest pages, with so many objects or more. They are needed, so they are asked for until they come. */
  newest(count) {
    return this.#insist((turn) => this.#readNewest(count, turn));
  }

  /** The pages from one `created_seq` (null: the beginning) to another; as `newest`. */
  between(before, after) {
    return this.#insist((turn) => this.#readUpwards(before, after, turn));
  }

  /** One page: `{before}`, `{after}`, `{around}`, or `{}`, the newest. Rejected with a Problem. */
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

  // What comes between two reads the stream brings: it goes on from the first one's cursor.
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

  async #readUpwards(before, after, turn) {
    const limit = LARGEST_PAGE;
    let snapshot = await this.#read({ after: before === null ? 0 : before - 1, limit }, turn);
    for (let page = 1; endsBelow(snapshot, after) && page < MOST_PAGES; page += 1) {
      const more = await this.#read({ after: snapshot.after, limit }, turn);
      snapshot = joined(snapshot, more);
    }
    return endsBelow(snapshot, after) ? snapshot : this.#cut(snapshot, after);
  }

  // A page may reach further than what is wanted.
  #cut(snapshot, after) {
    const { plural } = this.#collection;
    const states = snapshot[plural].filter((state) => state.created_seq <= after);
    return { ...snapshot, after, [plural]: states };
  }

  async #read(page, turn) {
    const snapshot = await this.#collection.read(page);
    return turn === this.#turn ? snapshot : superseded();
  }

  #completed(snapshot) {
    this.#end();
    const { plural } = this.#collection;
    const states = new Map(snapshot[plural].map((state) => [state.id, state]));
    for (const state of this.#seen.values()) {
      const known = states.get(state.id);
      const isWhole = known || !this.#collection.model.prototype.isPartial(state);
      if (isWhole && isNewer(state, known)) states.set(state.id, { ...known, ...state });
    }
    return { ...snapshot, [plural]: [...states.values()] };
  }
}

// Two pages, the earlier one first; what each lists is listed together.
const joined = (one, next) => ({
  ..._.mapObject(one, (part, name) => (Array.isArray(part) ? [...part, ...next[name]] : part)),
  after: next.after,
});

const nothing = ({ plural }) => ({ [plural]: [], before: null, cursor: null });
const isShort = (snapshot, plural, count) =>
  snapshot.before !== null && snapshot[plural].length < count;
const endsBelow = (snapshot, after) => snapshot.after !== null && snapshot.after < after;
const isNewer = (state, known) => known === undefined || state.seq > known.seq;
const superseded = () => new Promise(() => {});
