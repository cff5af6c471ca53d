// The tabs of one browser exchange messages, and elect a leader. The leader holds the stream for all tabs and sends the
// outbox.
//
// The browser itself decides the election (Web Locks): the tab with the lock leads. If that tab closes or crashes, the
// browser grants the lock to the next candidate at once. Without Web Locks (plain http) each tab is alone, and leads.
//
// Triggers each message of any tab, this one included, by its kind (data). Beside these, for this tab only (events.js):
// LEADERSHIP_GAINED, LEADERSHIP_LOST, TAB_SUSPENDED (the last moment to post a message) and TAB_RESUMED.

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

const NAME = named("parley"); // of the channel, and of the leader's lock
const LEADER_TIMEOUT_MS = 1_000; // for an answer to LEADER_CHECK

export class Tabs extends Evented {
  id = uuid();
  leads = false;
  #isShared = "locks" in navigator && "BroadcastChannel" in window;
  /** @type {BroadcastChannel | null} */ #channel = null;
  /** @type {AbortController | null} */ #presence = null; // ends this tab's own lock; null while suspended
  /** @type {AbortController | null} */ #candidacy = null; // ends the request for the leader's lock
  /** @type {((value?: unknown) => void) | null} */ #releaseLock = null;
  #leaderTimer = 0;

  constructor() {
    super();
    window.addEventListener("pagehide", () => this.#suspend());
    document.addEventListener("freeze", () => this.#suspend());
    window.addEventListener("pageshow", (event) => event.persisted && this.#resume());
    document.addEventListener("resume", () => this.#resume());
    this.on(LEADER_CHECK, () => this.leads && this.post(LEADER_ALIVE));
    this.on(LEADER_ALIVE, () => clearTimeout(this.#leaderTimer));
    this.on(LEADER_LEAVING, () => document.visibilityState === "visible" && this.#awaitLeader());
  }

  /** Join the other tabs. Every listener has to be registered before. */
  enter() {
    const presence = new AbortController();
    this.#presence = presence;
    if (!this.#isShared) return this.#startLeading();
    try {
      this.#channel = this.#openChannel();
    } catch {
      return this.#leadAlone();
    }
    this.#showPresence(presence.signal);
    this.#requestLock();
  }

  #openChannel() {
    const channel = new BroadcastChannel(NAME);
    channel.onmessage = ({ data: { kind, data } }) => this.trigger(kind, data);
    return channel;
  }

  /**
   * Send a message to all tabs, this one first.
   * @type {(kind: string, data?: any) => void}
   */
  post(kind, data = {}) {
    this.trigger(kind, data);
    this.#channel?.postMessage({ kind, data });
  }

  /** Take over from a leader that hangs: the browser releases the lock of a closed tab, but not of one that hangs. */
  checkLeader() {
    this.#awaitLeader();
    this.post(LEADER_CHECK);
  }

  /** The ids of the tabs that have entered and are not suspended. */
  async present() {
    if (!this.#isShared) return [this.id];
    const { held = [] } = await navigator.locks.query();
    const names = held.map(({ name = "" }) => name);
    return names.filter((name) => name.startsWith(PRESENCE)).map(idOf);
  }

  // Wait for LEADER_ALIVE. The tab that got the lock may be the one that hangs.
  #awaitLeader() {
    clearTimeout(this.#leaderTimer);
    this.#leaderTimer = setTimeout(() => this.#stealLock(), LEADER_TIMEOUT_MS);
  }

  /** @param {AbortSignal} signal */
  #showPresence(signal) {
    const untilAborted = () => new Promise((resolve) => signal.addEventListener("abort", resolve));
    navigator.locks.request(PRESENCE + this.id, { signal }, untilAborted).catch(ignore);
  }

  #requestLock(steal = false) {
    const candidacy = new AbortController();
    this.#candidacy = candidacy;
    navigator.locks
      .request(NAME, steal ? { steal } : { signal: candidacy.signal }, () => this.#hold(candidacy))
      .catch((error) =>
        error.name === "AbortError" ? this.#handleLockLost(candidacy) : this.#leadAlone(),
      );
  }

  // A browser that forbids storage forbids locks, too.
  #leadAlone() {
    this.#isShared = false;
    this.#channel?.close();
    this.#channel = null;
    this.#startLeading();
  }

  /** @param {AbortController} candidacy */
  #hold(candidacy) {
    if (candidacy.signal.aborted) return;
    return new Promise((resolve) => {
      this.#releaseLock = resolve;
      this.#startLeading();
    });
  }

  /**
   * Another tab has stolen the lock, because this one did not answer in time. It becomes a candidate again.
   * @param {AbortController} candidacy
   */
  #handleLockLost(candidacy) {
    if (candidacy.signal.aborted) return;
    this.#stopLeading();
    this.#requestLock();
  }

  #stealLock() {
    if (!this.#channel || this.leads) return;
    this.#candidacy?.abort();
    this.#requestLock(true);
  }

  #startLeading() {
    this.leads = true;
    this.post(LEADER_ALIVE);
    this.trigger(LEADERSHIP_GAINED);
  }

  #stopLeading() {
    if (!this.leads) return;
    this.leads = false;
    this.trigger(LEADERSHIP_LOST);
  }

  // A suspended tab must neither hold the lock nor wait for it: it could not lead.
  #suspend() {
    if (this.#presence === null) return;
    this.trigger(TAB_SUSPENDED);
    if (this.leads) this.#channel?.postMessage({ kind: LEADER_LEAVING });
    clearTimeout(this.#leaderTimer);
    this.#stopLeading();
    this.#releaseLock?.();
    this.#candidacy?.abort();
    this.#presence.abort();
    this.#channel?.close();
    this.#presence = this.#channel = this.#releaseLock = this.#candidacy = null;
  }

  #resume() {
    if (this.#presence !== null) return;
    this.enter();
    this.trigger(TAB_RESUMED);
  }
}

const PRESENCE = `${NAME}-tab-`; // a tab's own lock: this and the tab's id
/** @param {string} name */
const idOf = (name) => name.slice(PRESENCE.length);
const ignore = () => {};
