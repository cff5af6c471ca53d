import { DRAFTS_CHANGED } from "../core/events.js";

/**
 * The text that one person types at one place in one tab. If this tab has no text, it starts with the text of another
 * tab. The other tab may still be open, so its text is taken over only when the person types here.
 */
export class Draft {
  /** @type {Parley.Drafts} */ #drafts;
  /** @type {string} */ #key;
  /** @type {string | null} */ #topic;
  /** @type {{ key: string, text: string | null } | null} */ #found = null; // what `read` found

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
    const isOwn = this.#drafts.read(this.#key) !== null;
    const key = isOwn ? this.#key : this.#drafts.findInOtherTab(this.#key);
    if (key === null) return null;
    const text = this.#drafts.read(key);
    this.#found = { key, text };
    const { body, base, closed } = parseDraft(text);
    return body === "" ? null : { body, base, closed };
  }

  /**
   * Store this text, and its `base`: the state that it was written on, or null. A blank text removes the draft.
   * @param {string} body
   * @param {object | null} base
   */
  save(body, base = null) {
    if (body.trim() === "") return this.remove();
    this.#write({ body, base, closed: false });
  }

  /** Put the text aside, because its field is closed. It is offered when the field opens again, or after a reload. */
  close() {
    const draft = this.read();
    if (draft) this.#write({ ...draft, closed: true });
    this.#drafts.trigger(DRAFTS_CHANGED);
  }

  /** If another text is stored here, store a copy of it beside the text that is written from now on. */
  copyStored(body) {
    const stored = this.#drafts.read(this.#key);
    const older = parseDraft(stored).body;
    if (older !== "" && !body.includes(older)) this.#drafts.copy(this.#key);
  }

  /** The text was posted or discarded. */
  remove() {
    this.#removeFound();
    this.#drafts.remove(this.#key);
  }

  /** Remove the draft when the promise `kept` resolves, unless the person has typed since. */
  async removeAfter(kept) {
    const text = this.#drafts.read(this.#key);
    await kept;
    if (this.#drafts.read(this.#key) === text) this.remove();
  }

  #write(draft) {
    this.#removeFound();
    this.#drafts.write(this.#key, JSON.stringify({ ...draft, topic: this.#topic, at: Date.now() }));
  }

  // Unless its own tab has changed it since.
  #removeFound() {
    const found = this.#found;
    if (found && this.#drafts.read(found.key) === found.text) this.#drafts.remove(found.key);
    this.#found = null;
  }
}

/** @typedef {{ body: string, base: any, at: number, topic: string | null, closed: boolean }} Stored */

/** @type {Stored} */
const EMPTY = { body: "", base: null, at: 0, topic: null, closed: false };

/**
 * A draft as `save` writes it. If other code has written the text: an empty draft, older than all others.
 * @type {(text: string | null) => Stored}
 */
export function parseDraft(text) {
  try {
    const { body, base, at, topic = null, closed = false } = JSON.parse(text ?? "");
    return typeof body === "string" && at > 0 ? { body, base, at, topic, closed } : EMPTY;
  } catch {
    return EMPTY;
  }
}
