// What the person wants and the server has not confirmed. Shared by the tabs of a browser: each change is a
// function (outbox_rules.js), applied here at once and to the stored records in a transaction; then the other
// tabs are told to look. What one account wants is never another's.
//
// Triggers
//   state (type, state, counted)
//                          what the server has now, as an answer to this or another tab; {id, deleted: true} for
//                          what is no more, with its seq where it may come again. Always before the record goes:
//                          nothing is ever shown as neither. `counted`:
//                          for a like, the seq of its comment from which on that has it in its number, or not
//   record (type, key, record)
//                          it has changed; null when it is gone

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
import { Memory, openDisk } from "./outbox_store.js";

const MOST_RECORDS = 500; // of one account; whoever has more unsent is told so, and keeps the text

/** @typedef {(records: Parley.Record[]) => Parley.Record[]} Act */
/** @typedef {Pick<Parley.Record, "type" | "key">} Name */
/** @typedef {{ resolve(state: any): void, reject(problem: any): void }} Waiting */
/** @typedef {{ type: string, state: any, counted?: number | null }} News */

export class Outbox extends Evented {
  /**
   * This account's records, oldest first.
   * @type {Parley.Record[]}
   */
  records = [];
  /** Settled once the records of the account that looks are here. */
  ready = /** @type {Promise<unknown>} */ (Promise.resolve());
  /** They wait for their account to sign in again. */
  held = false;
  /** The last try was in vain, and the next one is later. */
  resting = false;
  /** What is unsent is this tab's alone, and lost with it: there is nowhere to keep it. */
  volatile = false;
  /** @type {Backbone.Events} */ #bus;
  /** @type {import("../stream/tabs.js").Tabs} */ #tabs;
  /** @type {import("./outbox_store.js").Store | null} */ #disk = null;
  #away = /** @type {Promise<unknown>} */ (Promise.resolve());
  /** @type {string | null} */ #user = null;
  /** @type {Parley.Record[]} */ #kept = []; // as stored
  /** @type {Act[]} */ #underway = []; // changes that are not stored yet
  #turn = /** @type {Promise<any>} */ (Promise.resolve());
  /** @type {Promise<any> | null} */ #reloading = null; // a turn that has not begun
  /** @type {Map<string, Waiting[]>} */
  #waiting = new Map(); // a record's name → {resolve, reject} of the promises that wait for its end

  /** @param {{ bus: Backbone.Events, tabs: import("../stream/tabs.js").Tabs }} page */
  constructor({ bus, tabs }) {
    super();
    this.#bus = bus;
    this.#tabs = tabs;
    tabs.on(OUTBOX_STORED, (message) => message.tab !== tabs.id && this.#told(message));
    tabs.on(TAB_SUSPENDED, () => this.#leave());
    // A tab that closed may have stored a change without sending its message.
    tabs.on(`${LEADERSHIP_GAINED} ${LEADER_CHECK} ${TAB_RESUMED}`, () => this.#reload());
  }

  /**
   * The id of the account that this outbox belongs to now; null for a guest: guests have no outbox.
   * @param {string | null} user
   */
  belongTo(user) {
    this.held = false;
    if (user === this.#user) return this.#announce();
    this.#user = user;
    this.#kept = this.#underway = [];
    this.#show();
    this.ready = this.#reload().then(() => this.#toldNobody());
  }

  /** Their account is no more. */
  erase() {
    this.#change(() => []);
    this.belongTo(null);
  }

  /** Their login has ended, and not because they wanted that: what they wrote stays in sight. */
  hold() {
    this.held = this.records.length > 0;
    this.#announce();
  }

  /**
   * The record of the object with this id (`key`) of this live model, or null.
   * @param {string} type
   * @param {string} key
   */
  find(type, key) {
    return rules.find(this.records, type, key);
  }

  isFull() {
    return this.records.length >= MOST_RECORDS;
  }

  /**
   * Somebody wants this (outbox_rules.js). A promise of what the server has then; rejected with a Problem.
   * @param {Parley.Change} change
   */
  add(change) {
    if (this.#user === null) return Promise.reject(NOBODY);
    const wanted = { ...change, user: this.#user };
    this.#change((records) => rules.want(records, wanted));
    return new Promise((resolve, reject) => {
      const others = this.#waiting.get(nameOf(change)) ?? [];
      this.#waiting.set(nameOf(change), [...others, { resolve, reject }]);
    });
  }

  /** Settled once all that was wanted until now is kept. */
  kept() {
    return this.#turn.catch(ignore);
  }

  /**
   * @param {string} type
   * @param {string} key
   */
  retry(type, key) {
    this.#change((records) => rules.retry(records, type, key));
  }

  /**
   * @param {string} type
   * @param {string} key
   */
  discard(type, key) {
    this.#change((records) => rules.discard(records, type, key));
  }

  /**
   * The stream or a snapshot brought this state.
   * @param {string} type
   * @param {Parley.State} state
   */
  see(type, state) {
    if (this.find(type, state.id))
      this.#change((records) => rules.see(records, type, state), { type, state });
  }

  /**
   * @param {string} type
   * @param {string} id
   * @param {number} seq
   */
  bury(type, id, seq) {
    const state = { ...gone(id), seq };
    if (this.find(type, id))
      this.#change((records) => rules.bury(records, type, id), { type, state });
  }

  // -- for the courier, which sends them

  next() {
    return rules.nextOf(this.records);
  }

  /**
   * Answers with the record as it is to be sent, or null if it is no more. Stored before anything leaves.
   * @param {Name} name
   */
  async send({ type, key }) {
    const records = await this.#change((before) => rules.send(before, type, key));
    return rules.find(records, type, key);
  }

  /** @param {Parley.Record} before */
  recall(before) {
    return this.#change((records) => rules.recall(records, before), null, before.user);
  }

  /**
   * `state`: what the server has, or null when that is nothing; `isNew` unless it was stored before.
   * @param {Parley.Record} sent
   * @param {Parley.State | null} state
   * @param {boolean} isNew
   * @param {number | null} counted
   */
  confirm(sent, state, isNew, counted = null) {
    /** @type {Act} */
    const act = (records) => rules.confirm(records, sent, state, isNew);
    return this.#answered(sent, act, state ?? gone(sent.key), counted);
  }

  /**
   * @param {Parley.Record} sent
   * @param {Parley.RefusedProblem} problem
   */
  refuse(sent, problem) {
    /** @type {Act} */
    const act = (records) => rules.refuse(records, sent, problem);
    const isGone = sent.act === "destroy" && !sent.address && problem.status === NOT_FOUND;
    return this.#answered(sent, act, isGone ? gone(sent.key) : problem[sent.type]);
  }

  /**
   * Is the next try to come later?
   * @param {boolean} resting
   */
  rest(resting) {
    if (resting === this.resting) return;
    this.resting = resting;
    this.#tellAll();
  }

  /**
   * Another account may be signed in by now. The change was answered for the account that sent it all the same.
   * @param {Parley.Record} sent
   * @param {Act} act
   * @param {any} state
   * @param {number | null} counted
   */
  #answered({ type, user }, act, state, counted = null) {
    if (state && user === this.#user) this.trigger(SERVER_STATE, type, state, counted);
    return this.#change(act, state && { type, state, counted }, user);
  }

  // -- one change after the other, here and where they are stored

  /**
   * @param {Act} act
   * @param {News | null} news
   */
  #change(act, news = null, user = this.#user) {
    if (user === null) return Promise.resolve([]);
    if (user === this.#user) {
      this.#underway = [...this.#underway, act];
      this.#show(news);
    }
    return this.#inTurn(async () => {
      const records = await this.#keep(user, act);
      this.#tabs.post(OUTBOX_STORED, { tab: this.#tabs.id, user, news });
      return records;
    });
  }

  // Of many that ask for it at once the first one's is everybody's.
  #reload() {
    this.#reloading ??= this.#inTurn(() => {
      this.#reloading = null;
      return this.#user === null ? [] : this.#keep(this.#user, same);
    });
    return this.#reloading;
  }

  // A page that was stored for may have gone before the others heard of it.
  #toldNobody() {
    const told = { tab: this.#tabs.id, user: this.#user, news: null };
    if (this.records.length > 0) this.#tabs.post(OUTBOX_STORED, told);
  }

  /** @param {() => any} work */
  #inTurn(work) {
    this.#turn = this.#turn.catch(ignore).then(work);
    return this.#turn;
  }

  /**
   * @param {string} user
   * @param {Act} act
   */
  async #keep(user, act) {
    const records = await this.#store(user, act).catch(async () => {
      await this.#away; // a page that is put aside must hold nothing; it goes on when it is back
      return this.#store(user, act).catch((error) => this.#doWithout(error).change(user, act));
    });
    if (user === this.#user) this.#stored(records, act);
    return records;
  }

  /**
   * @param {string} user
   * @param {Act} act
   */
  async #store(user, act) {
    this.#disk ??= await openDisk();
    return this.#disk.change(user, act).catch((error) => {
      this.#disk?.close();
      this.#disk = null;
      throw error;
    });
  }

  #leave() {
    if (this.volatile) return;
    this.#away = new Promise((resolve) => this.#tabs.once(TAB_RESUMED, resolve));
    this.#disk?.leave();
    this.#disk = null;
  }

  /** @param {unknown} error */
  #doWithout(error) {
    const memory = new Memory();
    if (this.#user) memory.change(this.#user, () => this.#kept);
    this.#disk = memory;
    this.volatile = true;
    this.#bus.trigger(OUTBOX_VOLATILE, error);
    window.onbeforeunload = (event) => this.records.length > 0 && event.preventDefault();
    return memory;
  }

  /**
   * @param {Parley.Record[]} records
   * @param {Act} act
   */
  #stored(records, act) {
    this.#kept = records;
    this.#underway = this.#underway.filter((other) => other !== act);
    this.#show();
  }

  /**
   * Another tab has changed them. What the server has then comes first, so that nothing is ever shown as neither.
   * @param {{ user: string, news: News | null }} message
   */
  #told({ user, news }) {
    if (user !== this.#user) return;
    if (news) this.trigger(SERVER_STATE, news.type, news.state, news.counted ?? null);
    this.#reload();
  }

  // -- subscribers

  /** @param {News | null} news the state that the server is known to have now */
  #show(news = null) {
    const before = this.records;
    this.records = this.#underway.reduce((records, act) => act(records), this.#kept);
    const known = new Map([...before, ...this.records].map((record) => [nameOf(record), record]));
    for (const { type, key } of known.values()) {
      const state = news?.type === type ? news.state : undefined;
      this.#tell(type, key, rules.find(before, type, key), state);
    }
    if (!_.isEqual(before, this.records)) this.#bus.trigger(OUTBOX_CHANGED, this.#count());
  }

  #tellAll() {
    for (const record of this.records)
      this.trigger(RECORD_CHANGED, record.type, record.key, record);
  }

  #announce() {
    this.#tellAll();
    this.#bus.trigger(OUTBOX_CHANGED, this.#count());
  }

  /**
   * @param {string} type
   * @param {string} key
   * @param {Parley.Record | null} before
   * @param {any} state
   */
  #tell(type, key, before, state) {
    const record = this.find(type, key);
    if (_.isEqual(before, record)) return;
    this.trigger(RECORD_CHANGED, type, key, record);
    if (record === null || record.problem) this.#settle(nameOf({ type, key }), record, state);
  }

  /**
   * @param {string} name
   * @param {Parley.Record | null} record
   * @param {any} state
   */
  #settle(name, record, state) {
    for (const { resolve, reject } of this.#waiting.get(name) ?? []) {
      if (record) reject(record.problem);
      else resolve(state?.deleted ? undefined : state);
    }
    this.#waiting.delete(name);
  }

  #count() {
    const [refused, waiting] = _.partition(this.records, (record) => record.problem !== null);
    return { waiting: waiting.length, refused: refused.length };
  }
}

const NOBODY = { status: 401, message: "You are not signed in." };
const NOT_FOUND = 404;

/** @param {Name} record */
const nameOf = ({ type, key }) => `${type}/${key}`;
/** @param {string} id */
const gone = (id) => ({ id, deleted: true });
/** @type {Act} */
const same = (records) => records;
const ignore = () => {};
