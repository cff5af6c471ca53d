const MOST = 1000;

/**
 * Ids of what was deleted, with the seq at which it was: a late answer with an older state must not bring
 * it back. Beyond the bound the oldest is forgotten; no answer is that late.
 */
export class Tombstones {
  /** @type {Map<string, number>} */ #seqs = new Map();

  /**
   * @param {string} id
   * @param {number} seq
   */
  bury(id, seq) {
    const known = this.#seqs.get(id);
    // Our own DELETE is answered without a seq (Infinity here); the stream then brings the real one.
    const last =
      known === undefined || known === Number.POSITIVE_INFINITY ? seq : Math.max(known, seq);
    this.#seqs.delete(id);
    this.#seqs.set(id, last);
    const [oldest] = this.#seqs.keys();
    if (this.#seqs.size > MOST) this.#seqs.delete(oldest);
  }

  /** @param {Pick<Parley.State, "id" | "seq">} state */
  covers(state) {
    return (this.#seqs.get(state.id) ?? -1) >= state.seq;
  }

  clear() {
    this.#seqs.clear();
  }
}
