import { backoff } from "./backoff.js";
import { request } from "./sync.js";

/**
 * Reads snapshots of one commentable's comments while the stream goes on. A state that the stream brings
 * during a read may be newer than the snapshot and outside what the collection holds, hence lost; so
 * `saw` keeps it until the read is over, and the snapshot is handed over with those states in it.
 *
 * One read at a time: a newer one makes an older one's answer void (its promise then stays pending).
 */
export class Snapshots {
  #collection;
  #query;
  #seen = new Map();
  #turn = 0;
  reading = false;

  constructor(collection, query) {
    this.#collection = collection;
    this.#query = query;
  }

  saw(state) {
    if (this.reading && isNewer(state, this.#seen.get(state.id))) this.#seen.set(state.id, state);
  }

  /** The newest page. It is needed, so it is asked for until it comes. */
  async newest() {
    const turn = this.#begin();
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#read({}, turn);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
        if (turn !== this.#turn) return superseded();
      }
    }
  }

  /** The page before that `created_seq`. Rejected with a Problem. */
  async earlier(before) {
    const turn = this.#begin();
    try {
      return await this.#read({ before }, turn);
    } finally {
      if (turn === this.#turn) this.reading = false;
    }
  }

  #begin() {
    this.#seen.clear();
    this.reading = true;
    this.#turn += 1;
    return this.#turn;
  }

  async #read(page, turn) {
    const data = { ...this.#query, ...page };
    const snapshot = await request("read", this.#collection, { data });
    return turn === this.#turn ? this.#completed(snapshot) : superseded();
  }

  #completed(snapshot) {
    this.reading = false;
    const states = new Map(snapshot.comments.map((state) => [state.id, state]));
    for (const state of this.#seen.values()) {
      if (isNewer(state, states.get(state.id))) states.set(state.id, state);
    }
    return { ...snapshot, comments: [...states.values()] };
  }
}

const isNewer = (state, known) => known === undefined || state.seq > known.seq;
const superseded = () => new Promise(() => {});
