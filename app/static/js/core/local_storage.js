/**
 * Strings that outlive the page: localStorage, which is synchronous and so has them even when the page crashes.
 * Where the browser refuses it, or it is full, they live as long as the page does.
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

  /** Are there strings that will be lost with the page? */
  isVolatile() {
    return this.#memory.size > 0;
  }

  keys() {
    return [...new Set([...this.#memory.keys(), ...(attempt(Object.keys) ?? [])])];
  }
}

/**
 * Even to name `localStorage` throws in a browser that stores nothing for this site.
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
