const MAX_PARTIALS = 1_000;

/**
 * The newest partial states of objects that are not loaded. The server may have read a response before these changes,
 * so the response is completed with them. Beyond the bound the oldest state is dropped; no response is that late.
 */
export class Partials {
  /** @type {Map<string, Parley.State>} */ #states = new Map();

  /** @param {Parley.State} state */
  remember(state) {
    const known = this.#states.get(state.id);
    if (known && known.seq >= state.seq) return;
    this.#states.delete(state.id);
    this.#states.set(state.id, { ...known, ...state });
    const [oldest] = this.#states.keys();
    if (this.#states.size > MAX_PARTIALS) this.#states.delete(oldest);
  }

  /**
   * The state, with the newer members that are known. Anything that is not a state is returned unchanged.
   * @param {any} state
   */
  complete(state) {
    const newer = this.#states.get(state?.id);
    const isOlder = newer !== undefined && state.seq < newer.seq;
    return isOlder ? { ...state, ...newer } : state;
  }

  clear() {
    this.#states.clear();
  }
}
