const MAX_TOMBSTONES = 1_000;

/**
 * The ids of deleted objects, each with the seq of its deletion, so that a late response with an older state does not
 * bring the object back. Beyond the bound the oldest is dropped; no response is that late.
 */
export class Tombstones {
  /** @type {Map<string, number>} */ #seqs = new Map();

  /** @type {(id: string, seq: number) => void} */
  add(id, seq) {
    const known = this.#seqs.get(id);
    // The response to a DELETE has no seq, which is Infinity here. The stream then delivers the real one.
    const last =
      known === undefined || known === Number.POSITIVE_INFINITY ? seq : Math.max(known, seq);
    this.#seqs.delete(id);
    this.#seqs.set(id, last);
    const [oldest] = this.#seqs.keys();
    if (this.#seqs.size > MAX_TOMBSTONES) this.#seqs.delete(oldest);
  }

  /** @param {Pick<Parley.State, "id" | "seq">} state */
  covers(state) {
    return (this.#seqs.get(state.id) ?? -1) >= state.seq;
  }

  clear() {
    this.#seqs.clear();
  }
}
