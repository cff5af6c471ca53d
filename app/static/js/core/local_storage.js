/**
 * Strings in localStorage. Its writes are synchronous, so the strings survive a crash of the page. If the browser
 * refuses storage, or it is full, the strings stay in memory until the page closes.
 */
export class LocalStorage {
  /** @type {Map<string, string>} */ #memory = new Map();

  /**
   * The string under this key, or null.
   * @param {string} key
   */
  get(key) {
    return this.#memory.get(key) ?? attempt((storage) => storage.getItem(key)) ?? null;
  }

  /**
   * @param {string} key
   * @param {string} text
   */
  put(key, text) {
    const kept = attempt((storage) => {
      storage.setItem(key, text);
      return true;
    });
    if (kept) this.#memory.delete(key);
    else this.#memory.set(key, text);
  }

  /** @param {string} key */
  remove(key) {
    this.#memory.delete(key);
    attempt((storage) => storage.removeItem(key));
  }

  /** True if there are strings that will be lost when the page closes. */
  isVolatile() {
    return this.#memory.size > 0;
  }

  keys() {
    return [...new Set([...this.#memory.keys(), ...(attempt(Object.keys) ?? [])])];
  }
}

/**
 * Reading the `localStorage` property throws if the browser stores nothing for this site.
 * @template T
 * @param {(storage: Storage) => T} act
 */
function attempt(act) {
  try {
    return act(window.localStorage);
  } catch {
    return undefined;
  }
}
