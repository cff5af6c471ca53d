const MOST = 1000;

/**
 * Ids of what was deleted, with the seq at which it was: a late answer with an older state must not bring
 * it back. Beyond the bound the oldest is forgotten; no answer is that late.
 */
export class Tombstones {
  #seqs = new Map();

  bury(id, seq) {
    const known = this.#seqs.get(id);
    // Our own DELETE is answered without a seq (Infinity here); the stream then brings the real one.
    const last =
      known === undefined || known === Number.POSITIVE_INFINITY ? seq : Math.max(known, seq);
    this.#seqs.delete(id);
    this.#seqs.set(id, last);
    if (this.#seqs.size > MOST) this.#seqs.delete(this.#seqs.keys().next().value);
  }

  covers(state) {
    return (this.#seqs.get(state.id) ?? -1) >= state.seq;
  }

  clear() {
    this.#seqs.clear();
  }
}
