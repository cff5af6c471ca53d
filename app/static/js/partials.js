const MAX_PARTIALS = 1_000;

/**
 * The newest partial states of objects that are not loaded. An answer that is on its way may have been read before;
 * it is completed with them. Beyond the bound the oldest is forgotten; no answer is that late.
 */
export class Partials {
  #states = new Map();

  remember(state) {
    const known = this.#states.get(state.id);
    if (known && known.seq >= state.seq) return;
    this.#states.delete(state.id);
    this.#states.set(state.id, { ...known, ...state });
    if (this.#states.size > MAX_PARTIALS) this.#states.delete(this.#states.keys().next().value);
  }

  /** The same state (or whatever it is), with what is known to be newer of it. */
  complete(state) {
    const newer = this.#states.get(state?.id);
    const isOlder = newer !== undefined && state.seq < newer.seq;
    return isOlder ? { ...state, ...newer } : state;
  }

  clear() {
    this.#states.clear();
  }
}
