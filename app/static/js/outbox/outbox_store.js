// Where records are kept: one row of IndexedDB for each account, changed in one transaction, whichever tab does it.
// Where the browser does not let us (private windows, a full disk) they live as long as the page.
//
// A transaction that never ends holds up those of all tabs, so none is waited for for ever.

import { openDB } from "idb";
import { named } from "../core/base.js";

const DATABASE = named("parley");
const VERSION = 1;
const OUTBOX = "outbox";
const PATIENCE_MS = 3_000; // for one of them, and for the database to open

/** Rejected where the browser keeps nothing for us. */
export async function openDisk() {
  return new Disk(await inTime(open()));
}

const open = async () =>
  openDB(DATABASE, VERSION, {
    upgrade: (empty) => empty.createObjectStore(OUTBOX, { keyPath: "user" }),
    blocking: (_current, _wanted, event) => /** @type {IDBDatabase} */ (event.target).close(), // a newer page waits for us
  });

/**
 * @typedef {object} Store
 * @property {(user: string, act: Act) => Promise<Parley.Record[]>} change
 * @property {() => void} leave what is under way may end
 * @property {() => void} close rejects what is under way
 */

/** @typedef {import("idb").IDBPDatabase} Database */
/** @typedef {import("idb").IDBPTransaction<any, ["outbox"], "readwrite">} Transaction */
/** @typedef {(records: Parley.Record[]) => Parley.Record[]} Act */

/** @implements {Store} */
class Disk {
  /** @type {Database} */ #database;
  /** @type {Transaction | null} */ #transaction = null;

  /** @param {Database} database */
  constructor(database) {
    this.#database = database;
  }

  /**
   * Replace this account's records by what `act` (records) makes of them; answers with that.
   * @param {string} user
   * @param {Act} act
   */
  async change(user, act) {
    const transaction = this.#database.transaction(OUTBOX, "readwrite");
    this.#transaction = transaction;
    const work = Promise.all([replace(transaction.store, user, act), transaction.done]);
    try {
      const [records] = await inTime(work);
      return records;
    } finally {
      this.#transaction = null;
    }
  }

  /** What is under way may end: somebody has just written it. */
  leave() {
    this.#database.close();
  }

  /** Rejects what is under way. */
  close() {
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
 * A transaction that waits for one of a page that is no more does not even end when it is aborted.
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
async function inTime(work) {
  let timer = 0;
  /** @type {Promise<never>} */
  const limit = new Promise((_, reject) => {
    const unanswered = new Error("The browser's storage does not answer.");
    timer = setTimeout(reject, PATIENCE_MS, unanswered);
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
export class Memory {
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

  leave() {}

  close() {}
}
