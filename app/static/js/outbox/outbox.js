// The changes that a person wants and that the server has not confirmed. The tabs of a browser share them. Each change
// is a function (outbox_rules.js). It is applied to this tab's records at once, and to the stored records in a
// transaction; then the other tabs get a message to reload them. Each account has its own records.
//
// Triggers
//   SERVER_STATE (type, state, counted)
//                          what the server has now, in answer to a request of this or another tab. `state` is
//                          {id, deleted: true} for a deleted object, with its seq if the object may be created again.
//                          It comes before the record is removed, so that no moment shows neither. `counted`: for a
//                          like, the seq of its comment from which on the comment's number includes it
//   RECORD_CHANGED (type, key, record)
//                          a record changed; null if it was removed

import { Evented } from "../core/evented.js";
import {
  LEADER_CHECK,
  LEADERSHIP_GAINED,
  OUTBOX_CHANGED,
  OUTBOX_STORED,
  OUTBOX_VOLATILE,
  RECORD_CHANGED,
  SERVER_STATE,
  TAB_RESUMED,
  TAB_SUSPENDED,
} from "../core/events.js";
import * as rules from "./outbox_rules.js";
import { MemoryStore, openDiskStore } from "./outbox_store.js";

const MAX_RECORDS = 500; // of one account; beyond it the composer keeps the text and shows a message

/** @typedef {(records: Parley.Record[]) => Parley.Record[]} Act */
/** @typedef {Pick<Parley.Record, "type" | "key">} Name */
/** @typedef {{ resolve(state: any): void, reject(problem: any): void }} Settler */
/** @typedef {{ type: string, state: any, counted?: number | null }} Answer */

export class Outbox extends Evented {
  /**
   * This account's records, oldest first.
   * @type {Parley.Record[]}
   */
  records = [];
  /** Resolves when the account's records are loaded. */
  ready = /** @type {Promise<unknown>} */ (Promise.resolve());
  /** The login ended, and there are records: they are sent when their account signs in again. */
  held = false;
  /** The last attempt to send failed, and the next one is scheduled. */
  isBackingOff = false;
  /** The browser stores nothing: the records are this tab's alone, and are lost when it closes. */
  volatile = false;
  /** @type {Backbone.Events} */ #bus;
  /** @type {import("../stream/tabs.js").Tabs} */ #tabs;
  /** @type {import("./outbox_store.js").Store | null} */ #store = null;
  #suspension = /** @type {Promise<unknown>} */ (Promise.resolve()); // resolved unless the tab is suspended
  /** @type {string | null} */ #user = null;
  /** @type {Parley.Record[]} */ #stored = []; // the records as stored
  /** @type {Act[]} */ #unstored = []; // changes that are not stored yet
  #queue = /** @type {Promise<any>} */ (Promise.resolve()); // the last transaction
  /** @type {Promise<any> | null} */ #reloading = null; // a transaction that has not begun
  /** @type {Map<string, Settler[]>} */
  #settlers = new Map(); // a record's name → the promises that `add` returned

  /** @param {{ bus: Backbone.Events, tabs: import("../stream/tabs.js").Tabs }} page */
  constructor({ bus, tabs }) {
    super();
    this.#bus = bus;
    this.#tabs = tabs;
    tabs.on(OUTBOX_STORED, (message) => message.tab !== tabs.id && this.#handleStored(message));
    tabs.on(TAB_SUSPENDED, () => this.#suspend());
    // A tab that closed may have stored a change without posting its message.
    tabs.on(`${LEADERSHIP_GAINED} ${LEADER_CHECK} ${TAB_RESUMED}`, () => this.#reload());
  }

  /**
   * Show and send the records of this account from now on. Guests (null) have no outbox.
   * @type {(user: string | null) => void}
   */
  setUser(user) {
    this.held = false;
    if (user === this.#user) return this.#announce();
    this.#user = user;
    this.#stored = this.#unstored = [];
    this.#update();
    this.ready = this.#reload().then(() => this.#notifyTabs());
  }

  /** The account was deleted. */
  discardAll() {
    this.#change(() => []);
    this.setUser(null);
  }

  /** The login ended, but the person did not sign out: the page still shows the unsent changes. */
  hold() {
    this.held = this.records.length > 0;
    this.#announce();
  }

  /**
   * The record of the object with this id (`key`) of this live model, or null.
   * @type {(type: string, key: string) => Parley.Record | null}
   */
  find(type, key) {
    return rules.find(this.records, type, key);
  }

  isFull() {
    return this.records.length >= MAX_RECORDS;
  }

  /**
   * Add a change (outbox_rules.js). Resolves to the server's state after it; rejected with a Problem.
   * @type {(change: Parley.Change) => Promise<any>}
   */
  add(change) {
    if (this.#user === null) return Promise.reject(NOT_SIGNED_IN);
    const wanted = { ...change, user: this.#user };
    this.#change((records) => rules.add(records, wanted));
    return new Promise((resolve, reject) => {
      const others = this.#settlers.get(nameOf(change)) ?? [];
      this.#settlers.set(nameOf(change), [...others, { resolve, reject }]);
    });
  }

  /** Resolves when all changes until now are stored. */
  kept() {
    return this.#queue.catch(ignore);
  }

  /** @type {(type: string, key: string) => void} */
  retry(type, key) {
    this.#change((records) => rules.retry(records, type, key));
  }

  /** @type {(type: string, key: string) => void} */
  discard(type, key) {
    this.#change((records) => rules.discard(records, type, key));
  }

  /**
   * The stream or a snapshot delivered this state.
   * @type {(type: string, state: Parley.State) => void}
   */
  receive(type, state) {
    if (this.find(type, state.id))
      this.#change((records) => rules.receive(records, type, state), { type, state });
  }

  /**
   * The stream delivered the object's tombstone.
   * @type {(type: string, id: string, seq: number) => void}
   */
  receiveDeletion(type, id, seq) {
    const state = { ...deleted(id), seq };
    if (this.find(type, id))
      this.#change((records) => rules.receiveDeletion(records, type, id), { type, state });
  }

  // -- for the outbox sender

  next() {
    return rules.findNext(this.records);
  }

  /**
   * Store that the record is about to be sent. Resolves to the record as it is to be sent, or null if it was removed.
   * @type {(name: Name) => Promise<Parley.Record | null>}
   */
  async markSent({ type, key }) {
    const records = await this.#change((before) => rules.markSent(before, type, key));
    return rules.find(records, type, key);
  }

  /** @param {Parley.Record} before */
  markUnsent(before) {
    return this.#change((records) => rules.markUnsent(records, before), null, before.user);
  }

  /**
   * `state`: the object on the server, or null if it is deleted; `isNew` unless the server had it before.
   * @param {Parley.Record} sent
   * @param {Parley.State | null} state
   * @param {boolean} isNew
   * @param {number | null} counted
   */
  confirm(sent, state, isNew, counted = null) {
    /** @type {Act} */
    const act = (records) => rules.confirm(records, sent, state, isNew);
    return this.#applyAnswer(sent, act, state ?? deleted(sent.key), counted);
  }

  /** @type {(sent: Parley.Record, problem: Parley.RefusedProblem) => Promise<any>} */
  refuse(sent, problem) {
    /** @type {Act} */
    const act = (records) => rules.refuse(records, sent, problem);
    const isDeleted = sent.act === "destroy" && !sent.address && problem.status === NOT_FOUND;
    return this.#applyAnswer(sent, act, isDeleted ? deleted(sent.key) : problem[sent.type]);
  }

  /** @param {boolean} isBackingOff */
  setBackingOff(isBackingOff) {
    if (isBackingOff === this.isBackingOff) return;
    this.isBackingOff = isBackingOff;
    this.#triggerAll();
  }

  /**
   * Another account may be signed in by now. The answer is stored for the account that sent the change.
   * @param {Parley.Record} sent
   * @param {Act} act
   * @param {any} state
   * @param {number | null} counted
   */
  #applyAnswer({ type, user }, act, state, counted = null) {
    if (state && user === this.#user) this.trigger(SERVER_STATE, type, state, counted);
    return this.#change(act, state && { type, state, counted }, user);
  }

  // -- changes, one after the other, in memory and in the store

  /**
   * @param {Act} act
   * @param {Answer | null} answer
   */
  #change(act, answer = null, user = this.#user) {
    if (user === null) return Promise.resolve([]);
    if (user === this.#user) {
      this.#unstored = [...this.#unstored, act];
      this.#update(answer);
    }
    return this.#enqueue(async () => {
      const records = await this.#persist(user, act);
      this.#tabs.post(OUTBOX_STORED, { tab: this.#tabs.id, user, news: answer });
      return records;
    });
  }

  // Simultaneous calls share one transaction.
  #reload() {
    this.#reloading ??= this.#enqueue(() => {
      this.#reloading = null;
      return this.#user === null ? [] : this.#persist(this.#user, unchanged);
    });
    return this.#reloading;
  }

  // The page that stored these records may have closed before the other tabs got its message.
  #notifyTabs() {
    const message = { tab: this.#tabs.id, user: this.#user, news: null };
    if (this.records.length > 0) this.#tabs.post(OUTBOX_STORED, message);
  }

  /** @param {() => any} work */
  #enqueue(work) {
    this.#queue = this.#queue.catch(ignore).then(work);
    return this.#queue;
  }

  /** @type {(user: string, act: Act) => Promise<Parley.Record[]>} */
  async #persist(user, act) {
    const records = await this.#write(user, act).catch(async () => {
      await this.#suspension; // a suspended page must not hold a transaction; it continues when it is resumed
      return this.#write(user, act).catch((error) => this.#useMemory(error).change(user, act));
    });
    if (user === this.#user) this.#removeUnstored(records, act);
    return records;
  }

  /** @type {(user: string, act: Act) => Promise<Parley.Record[]>} */
  async #write(user, act) {
    this.#store ??= await openDiskStore();
    return this.#store.change(user, act).catch((error) => {
      this.#store?.abort();
      this.#store = null;
      throw error;
    });
  }

  #suspend() {
    if (this.volatile) return;
    this.#suspension = new Promise((resolve) => this.#tabs.once(TAB_RESUMED, resolve));
    this.#store?.close();
    this.#store = null;
  }

  /** @param {unknown} error */
  #useMemory(error) {
    const memory = new MemoryStore();
    if (this.#user) memory.change(this.#user, () => this.#stored);
    this.#store = memory;
    this.volatile = true;
    this.#bus.trigger(OUTBOX_VOLATILE, error);
    window.onbeforeunload = (event) => this.records.length > 0 && event.preventDefault();
    return memory;
  }

  /** @type {(records: Parley.Record[], act: Act) => void} */
  #removeUnstored(records, act) {
    this.#stored = records;
    this.#unstored = this.#unstored.filter((other) => other !== act);
    this.#update();
  }

  /**
   * Another tab has changed the stored records. The server's state comes first, so that no moment shows neither.
   * @param {{ user: string, news: Answer | null }} message
   */
  #handleStored({ user, news: answer }) {
    if (user !== this.#user) return;
    if (answer) this.trigger(SERVER_STATE, answer.type, answer.state, answer.counted ?? null);
    this.#reload();
  }

  // -- events and promises

  /** @param {Answer | null} answer the server's state, if this update follows from it */
  #update(answer = null) {
    const before = this.records;
    this.records = this.#unstored.reduce((records, act) => act(records), this.#stored);
    const known = new Map([...before, ...this.records].map((record) => [nameOf(record), record]));
    for (const { type, key } of known.values()) {
      const state = answer?.type === type ? answer.state : undefined;
      this.#triggerIfChanged(type, key, rules.find(before, type, key), state);
    }
    if (!_.isEqual(before, this.records)) this.#bus.trigger(OUTBOX_CHANGED, this.#count());
  }

  #triggerAll() {
    for (const record of this.records)
      this.trigger(RECORD_CHANGED, record.type, record.key, record);
  }

  #announce() {
    this.#triggerAll();
    this.#bus.trigger(OUTBOX_CHANGED, this.#count());
  }

  /** @type {(type: string, key: string, before: Parley.Record | null, state: any) => void} */
  #triggerIfChanged(type, key, before, state) {
    const record = this.find(type, key);
    if (_.isEqual(before, record)) return;
    this.trigger(RECORD_CHANGED, type, key, record);
    if (record === null || record.problem) this.#settle(nameOf({ type, key }), record, state);
  }

  /** @type {(name: string, record: Parley.Record | null, state: any) => void} */
  #settle(name, record, state) {
    for (const { resolve, reject } of this.#settlers.get(name) ?? []) {
      if (record) reject(record.problem);
      else resolve(state?.deleted ? undefined : state);
    }
    this.#settlers.delete(name);
  }

  #count() {
    const [refused, waiting] = _.partition(this.records, (record) => record.problem !== null);
    return { waiting: waiting.length, refused: refused.length };
  }
}

const NOT_SIGNED_IN = { status: 401, message: "You are not signed in." };
const NOT_FOUND = 404;

/** @param {Name} record */
const nameOf = ({ type, key }) => `${type}/${key}`;
/** @param {string} id */
const deleted = (id) => ({ id, deleted: true });
/** @type {Act} */
const unchanged = (records) => records;
const ignore = () => {};
