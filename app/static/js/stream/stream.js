// One EventSource, and what it takes to keep one: the state machine of stream_states.js and its timers.
//
// A lost connection is EventSource's own affair: it reconnects and says where it was. Only where it gives
// up (any status but 200, a wrong type), or where nothing has come for too long, a new one is made; that
// one passes `cursor`, for `Last-Event-ID` lives and dies with its EventSource.

import { backoff } from "../core/backoff.js";
import { AUTH, HEARTBEAT, RESET, WIRE_NAMES } from "../core/events.js";
import { streamAddress } from "./stream_address.js";
import { next } from "./stream_states.js";

const HEARTBEAT_MS = 15_000;
const SILENCE_MS = 2.5 * HEARTBEAT_MS;
const FIRST_BLOCK_MS = 8_000; // for a first block; who gets none is behind a proxy that buffers
const TICK_MS = 2_000;
const QUIET_MS = 1_000; // without another event: then we are level, whatever the last cursor looked like
const POLLING_MS = 60_000; // until streaming is tried again, and twice as long each time it fails
const MOST_POLLING_MS = 16 * POLLING_MS;
const FAILURES_UNTIL_OFFLINE = 4;
const RESETS_MS = 60_000; // in which
const MOST_RESETS = 3; // are believed at once; a client that refetches in a loop harms everybody

export class Stream {
  /** @type {Parley.StreamState} */
  state = "idle";
  /** How far we have heard; opaque. */
  position = "";
  #hear;
  #tell;
  #refused;
  #presence;
  /** @type {EventSource | null} */ #source = null;
  /** @type {string[]} */ #topics = [];
  /** @type {string[]} */ #cursors = [];
  /** @type {string | null} */ #user = null;
  #failures = 0;
  #once = false;
  #pollingFor = POLLING_MS;
  #head = "";
  /** @type {number[]} */ #resets = [];
  #authEnded = false;
  #heardAt = 0;
  #patience = 0;
  #ticking = 0;
  #timers = { retry: 0, quiet: 0, plain: 0 };

  /**
   * @param {object} owner
   * @param {(name: string, data: string, position: string) => void} owner.hear
   * @param {(state: Parley.StreamState) => void} owner.tell
   * @param {(refusal: Parley.StreamRefusal) => void} [owner.refused]
   * @param {boolean} [owner.presence]
   *
   * `hear` (name, data as JSON text, position) is called for each event, and `tell` (state) for each change of state.
   * `refused` ({status, positions}) is called before an address is tried again that did not answer with a stream; the owner
   * may then `open` another one. With `presence` the stream takes part in presence: this viewer is shown to others, too.
   */
  constructor({ hear, tell, refused = () => {}, presence = false }) {
    this.#hear = hear;
    this.#tell = tell;
    this.#refused = refused;
    this.#presence = presence;
  }

  /**
   * Follow these topics from these cursors on, for this account, or null. Without a topic, only the account's own topic is
   * followed. The server sends `auth` if somebody else is signed in when the stream connects. `failures`: how often the
   * stream failed that this one replaces.
   * @param {string[]} topics
   * @param {string[]} cursors
   * @param {string | null} user
   */
  open(topics, cursors, user, failures = 0) {
    this.#topics = topics;
    this.#cursors = cursors;
    this.#user = user;
    this.#failures = failures;
    this.#once = false;
    this.position = "";
    this.#connect();
    this.#take("open");
    if (navigator.onLine === false) this.#take("unreachable");
  }

  /** The number of times in a row that it was lost. */
  get failures() {
    return this.#failures;
  }

  close() {
    this.#drop();
    this.#take("close");
  }

  /** There is reason to believe that the connection is back, or was dead for long: look now. */
  hurry() {
    if (this.#source?.readyState === EventSource.CLOSED) this.#connect();
    else if (this.#source && this.#isSilent()) this.#giveUpWaiting();
  }

  /** The browser says that there is no network. */
  despair() {
    if (this.#source) this.#take("unreachable");
  }

  /** The browser says that there is a network again: what was open is on the old one. */
  renew() {
    if (this.#source) this.#connect();
  }

  #connect() {
    this.#drop();
    const source = new EventSource(this.#address());
    source.addEventListener("error", () => this.#failed());
    for (const name of WIRE_NAMES) {
      source.addEventListener(name, (event) => this.#received(name, event));
    }
    this.#source = source;
    this.#wait(FIRST_BLOCK_MS);
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
  }

  #address(once = this.#once) {
    return streamAddress({
      topics: this.#topics,
      cursors: this.position ? [this.position] : this.#cursors,
      user: this.#user,
      presence: this.#presence,
      once,
    });
  }

  // -- what comes

  /**
   * @param {string} name
   * @param {MessageEvent<string>} event
   */
  #received(name, event) {
    this.position = event.lastEventId || this.position;
    this.#failures = 0;
    this.#authEnded = name === AUTH; // and the stream ends with it, unless it goes on for a guest
    this.#wait(SILENCE_MS);
    if (name === RESET && this.#isResetTooOften()) return this.#resetLater(event.data);
    if (!this.#once) this.#pollingFor = POLLING_MS;
    if (name === HEARTBEAT) this.#head = JSON.parse(event.data).cursor;
    this.#place(name);
    this.#hear(name, event.data, this.position);
  }

  /**
   * Equal positions are equal text. Where changes of several topics mix, no event's need be just that text.
   * @param {string} name
   */
  #place(name) {
    clearTimeout(this.#timers.quiet);
    if (this.#once) return this.#take("polled");
    if (this.position === this.#head || name === RESET) return this.#take("level");
    if (name === HEARTBEAT) this.#take("behind");
    if (this.state !== "catching-up") return this.#take("level");
    this.#timers.quiet = setTimeout(() => this.#take("level"), QUIET_MS);
  }

  #isResetTooOften() {
    const now = Date.now();
    this.#resets = [...this.#resets.filter((at) => Math.abs(now - at) < RESETS_MS), now];
    return this.#resets.length > MOST_RESETS;
  }

  /** @param {string} data */
  #resetLater(data) {
    const { position } = this;
    this.#drop();
    this.#take("lost");
    this.#timers.retry = setTimeout(
      () => {
        this.#hear(RESET, data, position);
        this.#connect();
      },
      backoff(this.#resets.length + MOST_RESETS),
    );
  }

  // -- what does not come

  // A poll ends in an error, too. A second one without an event in between is what it says.
  #failed() {
    const closed = this.#source?.readyState === EventSource.CLOSED;
    const answered = this.#once && this.#failures === 0 && !closed;
    if (this.#authEnded) this.#take("ended");
    else if (answered) this.#failures += 1;
    else this.#missed();
    if (closed) this.#connectLater();
  }

  #missed() {
    this.#failures += 1;
    const unreachable = navigator.onLine === false || this.#failures >= FAILURES_UNTIL_OFFLINE;
    this.#take(unreachable ? "unreachable" : "lost");
  }

  // EventSource does not tell why it was refused, so `fetch` asks while the retry waits.
  #connectLater() {
    clearInterval(this.#ticking);
    clearTimeout(this.#timers.retry);
    const source = this.#source;
    let refusal = /** @type {Parley.StreamRefusal} */ ({ status: 0, positions: [] });
    whyRefused(this.#address(true)).then((found) => {
      refusal = found;
    });
    this.#timers.retry = setTimeout(() => {
      this.#refused(refusal);
      if (this.#source === source) this.#connect();
    }, backoff(this.#failures));
  }

  /** @param {number} patience milliseconds */
  #wait(patience) {
    this.#heardAt = Date.now();
    this.#patience = patience;
  }

  // A connection can die without a word (sleep, a dropped NAT entry): no heartbeat says so. By the wall's clock,
  // as timers stand still in a machine that sleeps.
  #tick() {
    if (Date.now() < this.#heardAt) this.#heardAt = Date.now(); // the clock was set back
    if (this.#isSilent()) this.#giveUpWaiting();
  }

  #isSilent() {
    return Date.now() - this.#heardAt > this.#patience;
  }

  // Nothing at all in time: something holds it back, so poll. Not even to a poll: it is the connection.
  #giveUpWaiting() {
    const held = this.#patience === FIRST_BLOCK_MS && !this.#once;
    this.#once = held;
    if (held) this.#poll();
    else this.#missed();
    this.#connect();
  }

  #poll() {
    clearTimeout(this.#timers.plain);
    this.#timers.plain = setTimeout(() => this.#streamAgain(), this.#pollingFor);
    this.#pollingFor = Math.min(2 * this.#pollingFor, MOST_POLLING_MS);
  }

  #streamAgain() {
    if (!this.#once || this.#source === null) return;
    this.#once = false;
    this.#connect();
  }

  #drop() {
    clearInterval(this.#ticking);
    clearTimeout(this.#timers.retry);
    clearTimeout(this.#timers.quiet);
    this.#source?.close();
    this.#source = null;
  }

  /** @param {Parley.StreamInput} input */
  #take(input) {
    const state = next(this.state, input);
    if (state === this.state) return;
    this.state = state;
    this.#tell(state);
  }
}

/**
 * The status, 0 without a response, and the `positions`, counted from 0, of the topics that the server refuses.
 * @param {string} address
 * @returns {Promise<Parley.StreamRefusal>}
 */
async function whyRefused(address) {
  const aborted = new AbortController();
  try {
    const { signal } = aborted;
    const answer = await fetch(address, { headers: { Accept: "text/event-stream" }, signal });
    const isExplained = answer.headers.get("Content-Type") === "application/problem+json";
    const problem = isExplained ? await answer.json() : {};
    return { status: answer.status, positions: problem.topic_positions ?? [] };
  } catch {
    return { status: 0, positions: [] };
  } finally {
    aborted.abort(); // it may be a stream after all
  }
}
