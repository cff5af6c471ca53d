import { DRAFTS_CHANGED } from "../core/events.js";

/**
 * What one person types at one place in one tab. Where this tab has nothing, it starts with what another one left behind;
 * that is taken over with the first key, and not before: the other may be open still, and going on with it.
 */
export class Draft {
  /** @type {Parley.Drafts} */ #drafts;
  /** @type {string} */ #key;
  /** @type {string | null} */ #topic;
  /** @type {{ key: string, text: string | null } | null} */ #found = null;

  /** `topic`: the conversation that the text is for, "Article/1", or null. */
  constructor(drafts, key, topic = null) {
    this.#drafts = drafts;
    this.#key = key;
    this.#topic = topic;
  }

  /**
   * `closed`: its field was closed, and the text put aside.
   * @returns {{ body: string, base: any, closed: boolean } | null}
   */
  read() {
    const isHere = this.#drafts.read(this.#key) !== null;
    const key = isHere ? this.#key : this.#drafts.elsewhere(this.#key);
    if (key === null) return null;
    const text = this.#drafts.read(key);
    this.#found = { key, text };
    const { body, base, closed } = understood(text);
    return body === "" ? null : { body, base, closed };
  }

  /**
   * Keep this text, and `base`, what it was written on, if anything. A blank one is none.
   * @param {string} body
   * @param {object | null} base
   */
  keep(body, base = null) {
    if (body.trim() === "") return this.drop();
    this.#write({ body, base, closed: false });
  }

  /** Put the text aside, because its field is closed. It is there when the field is opened again, and after a reload. */
  close() {
    const draft = this.read();
    if (draft) this.#write({ ...draft, closed: true });
    this.#drafts.trigger(DRAFTS_CHANGED);
  }

  /** If another text is stored here, keep it beside the text that is written from now on. */
  setAside(body) {
    const known = this.#drafts.read(this.#key);
    const older = understood(known).body;
    if (older !== "" && !body.includes(older)) this.#drafts.copy(this.#key);
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

  #write(draft) {
    this.#forgetFound();
    this.#drafts.write(this.#key, JSON.stringify({ ...draft, topic: this.#topic, at: Date.now() }));
  }

  // Unless its own tab has gone on with it since.
  #forgetFound() {
    const found = this.#found;
    if (found && this.#drafts.read(found.key) === found.text) this.#drafts.remove(found.key);
    this.#found = null;
  }
}

/** @typedef {{ body: string, base: any, at: number, topic: string | null, closed: boolean }} Stored */

/** @type {Stored} */
const NOTHING = { body: "", base: null, at: 0, topic: null, closed: false };

/**
 * A draft as `keep` writes it. If other code has written the text: an empty and very old draft.
 * @param {string | null} text
 * @returns {Stored}
 */
export function understood(text) {
  try {
    const { body, base, at, topic = null, closed = false } = JSON.parse(text ?? "");
    return typeof body === "string" && at > 0 ? { body, base, at, topic, closed } : NOTHING;
  } catch {
    return NOTHING;
  }
}
