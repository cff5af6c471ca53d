import { backoff } from "./backoff.js";
import { Problem } from "./problem.js";
import { request } from "./sync.js";

const PAGE = 50;
const LARGEST_PAGE = 100;
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
  reading = false;

  constructor(collection) {
    this.#collection = collection;
  }

  saw(state) {
    if (this.reading && isNewer(state, this.#seen.get(state.id))) this.#seen.set(state.id, state);
  }

  /** The newest pages, with so many objects or more. They are needed, so they are asked for until they come. */
  async newest(count) {
    const turn = this.#begin();
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#readAll(count, turn);
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
        if (turn !== this.#turn) return superseded();
      }
    }
  }

  /** The page before that `created_seq`. Rejected with a Problem. */
  async earlier(before) {
    const turn = this.#begin();
    try {
      return this.#completed(await this.#read({ before }, turn));
    } finally {
      if (turn === this.#turn) this.reading = false;
    }
  }

  /** What is being read is not wanted any more. */
  forget() {
    this.#turn += 1;
    this.reading = false;
  }

  #begin() {
    this.#seen.clear();
    this.reading = true;
    this.#turn += 1;
    return this.#turn;
  }

  // What comes between two reads the stream brings: it goes on from the first one's cursor.
  async #readAll(count, turn) {
    const { plural } = this.#collection;
    const limit = Math.min(Math.max(count, PAGE), LARGEST_PAGE);
    let snapshot = await this.#read({ limit }, turn);
    for (let page = 1; isShort(snapshot, plural, count) && page < MOST_PAGES; page += 1) {
      const more = await this.#read({ before: snapshot.before, limit }, turn);
      const states = [...more[plural], ...snapshot[plural]];
      snapshot = { ...more, cursor: snapshot.cursor, [plural]: states };
    }
    return this.#completed(snapshot);
  }

  async #read(page, turn) {
    const data = { ...this.#collection.place, ...page };
    const { headers } = this.#collection;
    const snapshot = await request("read", this.#collection, { data, headers });
    return turn === this.#turn ? snapshot : superseded();
  }

  #completed(snapshot) {
    this.reading = false;
    const { plural } = this.#collection;
    const states = new Map(snapshot[plural].map((state) => [state.id, state]));
    for (const state of this.#seen.values()) {
      if (isNewer(state, states.get(state.id))) states.set(state.id, state);
    }
    return { ...snapshot, [plural]: [...states.values()] };
  }
}

const isShort = (snapshot, plural, count) =>
  snapshot.before !== null && snapshot[plural].length < count;
const isNewer = (state, known) => known === undefined || state.seq > known.seq;
const superseded = () => new Promise(() => {});
