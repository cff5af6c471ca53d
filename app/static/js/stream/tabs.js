// The tabs of one browser: they hear each other, and one of them leads. It holds the stream for all and sends
// the outbox. Which one it is, the browser decides (Web Locks): it sees when a tab closes or crashes, and gives
// the lock to the next in the same moment. Where there are no Web Locks (plain http) each tab is alone, and leads.
//
// Triggers, beside every message by its kind (data), from any tab and this one:
//   lead     this tab leads from now on
//   yield    it does no longer
//   leave    it is about to be frozen, kept or closed; the last moment to say something
//   back     it is here again

import { named } from "../core/base.js";
import { Evented } from "../core/evented.js";
import {
  LEADER_ALIVE,
  LEADER_CHECK,
  LEADER_LEAVING,
  LEADERSHIP_GAINED,
  LEADERSHIP_LOST,
  TAB_RESUMED,
  TAB_SUSPENDED,
} from "../core/events.js";
import { uuid } from "../core/uuid.js";

const NAME = named("parley");
const ANSWER_MS = 1_000; // for a leader to answer; who does not is stuck

export class Tabs extends Evented {
  id = uuid();
  leads = false;
  #shared = "locks" in navigator && "BroadcastChannel" in window;
  /** @type {BroadcastChannel | null} */ #channel = null;
  /** @type {AbortController | null} */ #visit = null; // an AbortController, from the moment we are here until we leave
  /** @type {AbortController | null} */ #queued = null; // and one for our place in the queue
  /** @type {((value?: unknown) => void) | null} */ #release = null;
  #doubt = 0;

  constructor() {
    super();
    window.addEventListener("pagehide", () => this.#leave());
    document.addEventListener("freeze", () => this.#leave());
    window.addEventListener("pageshow", (event) => event.persisted && this.#return());
    document.addEventListener("resume", () => this.#return());
    this.on(LEADER_CHECK, () => this.leads && this.post(LEADER_ALIVE));
    this.on(LEADER_ALIVE, () => clearTimeout(this.#doubt));
    this.on(LEADER_LEAVING, () => document.visibilityState === "visible" && this.#await());
  }

  /** Begin; after everybody has subscribed. */
  enter() {
    const visit = new AbortController();
    this.#visit = visit;
    if (!this.#shared) return this.#lead();
    try {
      this.#channel = this.#open();
    } catch {
      return this.#beAlone();
    }
    this.#show(visit.signal);
    this.#queue();
  }

  #open() {
    const channel = new BroadcastChannel(NAME);
    channel.onmessage = ({ data: { kind, data } }) => this.trigger(kind, data);
    return channel;
  }

  /**
   * Send a message to all tabs, this one first.
   * @param {string} kind
   * @param {any} [data]
   */
  post(kind, data = {}) {
    this.trigger(kind, data);
    this.#channel?.postMessage({ kind, data });
  }

  /** Is the leader still there? The lock is free in the moment in which its holder dies, but a tab can live and be stuck. */
  poke() {
    this.#await();
    this.post(LEADER_CHECK);
  }

  /** The ids of the tabs that are here. */
  async present() {
    if (!this.#shared) return [this.id];
    const { held = [] } = await navigator.locks.query();
    const names = held.map(({ name = "" }) => name);
    return names.filter((name) => name.startsWith(PRESENCE)).map(idOf);
  }

  // For a word of the leader. The next in the queue may be the one that is stuck.
  #await() {
    clearTimeout(this.#doubt);
    this.#doubt = setTimeout(() => this.#seize(), ANSWER_MS);
  }

  /** @param {AbortSignal} signal */
  #show(signal) {
    const stay = () => new Promise((resolve) => signal.addEventListener("abort", resolve));
    navigator.locks.request(PRESENCE + this.id, { signal }, stay).catch(ignore);
  }

  #queue(steal = false) {
    const queued = new AbortController();
    this.#queued = queued;
    navigator.locks
      .request(NAME, steal ? { steal } : { signal: queued.signal }, () => this.#hold(queued))
      .catch((error) => (error.name === "AbortError" ? this.#lost(queued) : this.#beAlone()));
  }

  // A browser that forbids storage forbids this, too.
  #beAlone() {
    this.#shared = false;
    this.#channel?.close();
    this.#channel = null;
    this.#lead();
  }

  /** @param {AbortController} queued */
  #hold(queued) {
    if (queued.signal.aborted) return;
    return new Promise((resolve) => {
      this.#release = resolve;
      this.#lead();
    });
  }

  /**
   * Stolen by a tab that took us for dead. We are not: back into the queue.
   * @param {AbortController} queued
   */
  #lost(queued) {
    if (queued.signal.aborted) return;
    this.#yield();
    this.#queue();
  }

  #seize() {
    if (!this.#channel || this.leads) return;
    this.#queued?.abort();
    this.#queue(true);
  }

  #lead() {
    this.leads = true;
    this.post(LEADER_ALIVE);
    this.trigger(LEADERSHIP_GAINED);
  }

  #yield() {
    if (!this.leads) return;
    this.leads = false;
    this.trigger(LEADERSHIP_LOST);
  }

  // What is frozen must hold nothing: neither the lock, nor a place in the queue for it.
  #leave() {
    if (this.#visit === null) return;
    this.trigger(TAB_SUSPENDED);
    if (this.leads) this.#channel?.postMessage({ kind: LEADER_LEAVING });
    clearTimeout(this.#doubt);
    this.#yield();
    this.#release?.();
    this.#queued?.abort();
    this.#visit.abort();
    this.#channel?.close();
    this.#visit = this.#channel = this.#release = this.#queued = null;
  }

  #return() {
    if (this.#visit !== null) return;
    this.enter();
    this.trigger(TAB_RESUMED);
  }
}

const PRESENCE = `${NAME}-tab-`;
/** @param {string} name */
const idOf = (name) => name.slice(PRESENCE.length);
const ignore = () => {};
