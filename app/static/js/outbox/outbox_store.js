// Stores records: IndexedDB has one row for each account, which any tab changes in one transaction. If the browser
// refuses storage (private windows, a full disk), the records stay in memory until the page closes.
//
// A transaction that never ends blocks those of all tabs, so each one has a timeout.

import { openDB } from "idb";
import { named } from "../core/base.js";

const DATABASE = named("parley");
const VERSION = 1;
const OUTBOX = "outbox";
const TIMEOUT_MS = 3_000; // for a transaction, and to open the database

/** Rejected if the browser stores nothing for this site. */
export async function openDiskStore() {
  return new DiskStore(await withTimeout(open()));
}

const open = async () =>
  openDB(DATABASE, VERSION, {
    upgrade: (empty) => empty.createObjectStore(OUTBOX, { keyPath: "user" }),
    blocking: (_current, _wanted, event) => /** @type {IDBDatabase} */ (event.target).close(), // for a newer page
  });

/**
 * @typedef {object} Store
 * @property {(user: string, act: Act) => Promise<Parley.Record[]>} change
 * @property {() => void} close after the current transaction
 * @property {() => void} abort the current transaction, which is rejected, and close
 */

/** @typedef {import("idb").IDBPDatabase} Database */
/** @typedef {import("idb").IDBPTransaction<any, ["outbox"], "readwrite">} Transaction */
/** @typedef {(records: Parley.Record[]) => Parley.Record[]} Act */

/** @implements {Store} */
class DiskStore {
  /** @type {Database} */ #database;
  /** @type {Transaction | null} */ #transaction = null;

  /** @param {Database} database */
  constructor(database) {
    this.#database = database;
  }

  /**
   * Replace this account's records by the result of `act` (records), and return them.
   * @param {string} user
   * @param {Act} act
   */
  async change(user, act) {
    const transaction = this.#database.transaction(OUTBOX, "readwrite");
    this.#transaction = transaction;
    const work = Promise.all([replace(transaction.store, user, act), transaction.done]);
    try {
      const [records] = await withTimeout(work);
      return records;
    } finally {
      this.#transaction = null;
    }
  }

  close() {
    this.#database.close();
  }

  abort() {
    if (this.#transaction) abort(this.#transaction);
    this.#database.close();
  }
}

/**
 * @param {Transaction["store"]} store
 * @param {string} user
 * @param {Act} act
 */
async function replace(store, user, act) {
  const before = (await store.get(user))?.records ?? [];
  const records = act(before);
  if (!_.isEqual(records, before))
    await (records.length > 0 ? store.put({ user, records }) : store.delete(user));
  return records;
}

/**
 * A transaction that waits for the transaction of a closed page does not end even if it is aborted.
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
async function withTimeout(work) {
  let timer = 0;
  /** @type {Promise<never>} */
  const limit = new Promise((_, reject) => {
    const error = new Error("The browser's storage does not answer.");
    timer = setTimeout(reject, TIMEOUT_MS, error);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** @param {Transaction} transaction */
function abort(transaction) {
  try {
    transaction.abort();
  } catch {
    // It has ended meanwhile.
  }
}

/** @implements {Store} */
export class MemoryStore {
  /** @type {Map<string, Parley.Record[]>} */ #records = new Map();

  /**
   * @param {string} user
   * @param {Act} act
   */
  async change(user, act) {
    const records = act(this.#records.get(user) ?? []);
    this.#records.set(user, records);
    return records;
  }

  close() {}

  abort() {}
}
