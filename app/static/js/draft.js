/**
 * What one person types at one place in one tab. Where this tab has nothing, it starts with what another one left behind;
 * that is taken over with the first key, and not before: the other may be open still, and going on with it.
 */
export class Draft {
  #drafts;
  #key;
  #found = null;

  constructor(drafts, key) {
    this.#drafts = drafts;
    this.#key = key;
  }

  /** {body, base} or null. */
  read() {
    const isHere = this.#drafts.read(this.#key) !== null;
    const key = isHere ? this.#key : this.#drafts.elsewhere(this.#key);
    if (key === null) return null;
    const text = this.#drafts.read(key);
    this.#found = { key, text };
    const { body, base } = understood(text);
    return body === "" ? null : { body, base };
  }

  /** Keep this text, and `base`, what it was written on, if anything. A blank one is none. */
  keep(body, base = null) {
    if (body.trim() === "") return this.drop();
    this.#forgetFound();
    this.#drafts.write(this.#key, JSON.stringify({ body, base, at: Date.now() }));
  }

  /** It has been posted, or given up. */
  drop() {
    this.#forgetFound();
    this.#drafts.remove(this.#key);
  }

  /** The same, once it is `kept` (a promise) elsewhere, unless somebody has gone on typing. */
  async dropAfter(kept) {
    const text = this.#drafts.read(this.#key);
    await kept;
    if (this.#drafts.read(this.#key) === text) this.drop();
  }

  // Unless its own tab has gone on with it since.
  #forgetFound() {
    const { key, text } = this.#found ?? {};
    if (key && this.#drafts.read(key) === text) this.#drafts.remove(key);
    this.#found = null;
  }
}

const NOTHING = { body: "", base: null, at: 0 };

/** {body, base, at}, as `keep` has written it; nothing, and very old, where another hand has. */
export function understood(text) {
  try {
    const { body, base, at } = JSON.parse(text);
    return typeof body === "string" && at > 0 ? { body, base, at } : NOTHING;
  } catch {
    return NOTHING;
  }
}
