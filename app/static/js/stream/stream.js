// One EventSource at a time, with the state machine of stream_states.js and its timers.
//
// EventSource reconnects a lost connection by itself, and sends `Last-Event-ID`. It gives up on any status but 200 and
// on a wrong content type. In these cases, and if nothing arrives within a timeout, this class makes a new EventSource.
// It passes `cursor`, because `Last-Event-ID` belongs to one EventSource object.

import { backoff } from "../core/backoff.js";
import { AUTH, HEARTBEAT, RESET, WIRE_NAMES } from "../core/events.js";
import { ChangesSource } from "./changes_source.js";
import { streamAddress } from "./stream_address.js";
import { next } from "./stream_states.js";

const HEARTBEAT_MS = 15_000;
const SILENCE_TIMEOUT_MS = 2.5 * HEARTBEAT_MS;
const FIRST_BLOCK_TIMEOUT_MS = 8_000; // if nothing arrives at all, a proxy buffers the response
const CHECK_INTERVAL_MS = 2_000;
const CAUGHT_UP_MS = 1_000; // without another event: the stream has caught up, whatever its last cursor is
const POLLING_MS = 60_000; // until streaming is tried again; doubled each time it fails
const MAX_POLLING_MS = 16 * POLLING_MS;
const FAILURES_UNTIL_OFFLINE = 4;
const RESET_WINDOW_MS = 60_000;
const MAX_RESETS = 3; // within the window without a delay; a client that refetches in a loop loads the server

export class Stream {
  /** @type {Parley.StreamState} */
  state = "idle";
  /** The last event's id: the cursor up to which events were received. Opaque; empty before the first event. */
  cursor = "";
  #onEvent;
  #onState;
  #onRefusal;
  #presence;
  #pollsForGuests;
  /** @type {EventSource | ChangesSource | null} */ #source = null;
  /** @type {string[]} */ #topics = [];
  /** @type {string[]} */ #firstCursors = [];
  /** @type {string | null} */ #user = null;
  #failures = 0;
  #isPolling = false;
  #pollingMs = POLLING_MS;
  #headCursor = ""; // from the last heartbeat
  /** @type {number[]} */ #resetTimes = [];
  #isLoginEnded = false;
  #receivedAt = 0; // wall-clock time of the last event
  #timeoutMs = 0; // without an event
  #checkTimer = 0;
  #timers = { retry: 0, caughtUp: 0, streaming: 0 };

  /**
   * @param {object} owner
   * @param {(name: string, data: string, cursor: string) => void} owner.onEvent
   * @param {(state: Parley.StreamState) => void} owner.onState
   * @param {(refusal: Parley.StreamRefusal) => void} [owner.onRefusal]
   * @param {boolean} [owner.presence]
   * @param {boolean} [owner.pollsForGuests]
   *
   * `onEvent` (name, data as JSON text, cursor) is called for each event, and `onState` (state) for each change of
   * state. `onRefusal` ({status, positions}) is called before an address is tried again that did not answer with a
   * stream; the owner may then `open` another one. With `presence` the stream takes part in presence: this viewer is
   * shown to others, too. With `pollsForGuests`, a guest gets no stream, but responses that a cache may share.
   */
  constructor({
    onEvent,
    onState,
    onRefusal = () => {},
    presence = false,
    pollsForGuests = false,
  }) {
    this.#onEvent = onEvent;
    this.#onState = onState;
    this.#onRefusal = onRefusal;
    this.#presence = presence;
    this.#pollsForGuests = pollsForGuests;
  }

  /**
   * Follow these topics from these cursors on, for this account, or null. Without a topic, only the account's own topic
   * is followed. The server sends `auth` if somebody else is signed in when the stream connects. `failures`: how often
   * the stream failed that this one replaces.
   * @type {(topics: string[], cursors: string[], user: string | null, failures?: number) => void}
   */
  open(topics, cursors, user, failures = 0) {
    this.#topics = topics;
    this.#firstCursors = cursors;
    this.#user = user;
    this.#failures = failures;
    this.#isPolling = false;
    this.cursor = "";
    this.#connect();
    this.#transition("open");
    if (navigator.onLine === false) this.#transition("unreachable");
  }

  /** The number of successive failures. */
  get failures() {
    return this.#failures;
  }

  close() {
    this.#disconnect();
    this.#transition("close");
  }

  /** Connect now if a retry is scheduled, or if nothing was received for too long. */
  check() {
    if (this.#source?.readyState === EventSource.CLOSED) this.#connect();
    else if (this.#source && this.#isSilent()) this.#handleSilence();
  }

  /** The browser reports that there is no network. */
  handleOffline() {
    if (this.#source) this.#transition("unreachable");
  }

  /** The browser reports that there is a network again. An open connection belongs to the old network. */
  handleOnline() {
    if (this.#source) this.#connect();
  }

  #connect() {
    this.#disconnect();
    const source = this.#isCollapsed()
      ? new ChangesSource(this.#topics, this.#cursors())
      : new EventSource(this.#address());
    source.addEventListener("error", () => this.#handleError());
    for (const name of WIRE_NAMES) {
      const receive = /** @type {EventListener} */ (
        (/** @type {any} */ event) => this.#receive(name, event)
      );
      source.addEventListener(name, receive);
    }
    this.#source = source;
    this.#startTimeout(FIRST_BLOCK_TIMEOUT_MS);
    this.#checkTimer = setInterval(() => this.#checkTimeout(), CHECK_INTERVAL_MS);
  }

  #isCollapsed() {
    return this.#pollsForGuests && this.#user === null;
  }

  #cursors() {
    return this.cursor ? [this.cursor] : this.#firstCursors;
  }

  #address(once = this.#isPolling) {
    return streamAddress({
      topics: this.#topics,
      cursors: this.#cursors(),
      user: this.#user,
      presence: this.#presence,
      once,
    });
  }

  // -- events

  /**
   * @param {string} name
   * @param {MessageEvent<string>} event
   */
  #receive(name, event) {
    this.cursor = event.lastEventId || this.cursor;
    this.#failures = 0;
    this.#isLoginEnded = name === AUTH; // the stream ends after this event, unless it continues for a guest
    this.#startTimeout(SILENCE_TIMEOUT_MS);
    if (name === RESET && this.#areResetsTooFrequent()) return this.#delayReset(event.data);
    if (!this.#isPolling) this.#pollingMs = POLLING_MS;
    if (name === HEARTBEAT) this.#headCursor = JSON.parse(event.data).cursor;
    this.#updateState(name);
    this.#onEvent(name, event.data, this.cursor);
  }

  /**
   * Equal cursors are equal text. If changes of several topics are interleaved, no event's cursor has to equal the
   * heartbeat's, so a pause also means that the stream has caught up.
   * @param {string} name
   */
  #updateState(name) {
    clearTimeout(this.#timers.caughtUp);
    if (this.#isPolling) return this.#transition("polled");
    if (this.cursor === this.#headCursor || name === RESET) return this.#transition("caughtUp");
    if (name === HEARTBEAT) this.#transition("behind");
    if (this.state !== "catching-up") return this.#transition("caughtUp");
    this.#timers.caughtUp = setTimeout(() => this.#transition("caughtUp"), CAUGHT_UP_MS);
  }

  #areResetsTooFrequent() {
    const now = Date.now();
    const recent = this.#resetTimes.filter((at) => Math.abs(now - at) < RESET_WINDOW_MS);
    this.#resetTimes = [...recent, now];
    return this.#resetTimes.length > MAX_RESETS;
  }

  /**
   * Close the stream, and deliver the reset after a back-off.
   * @param {string} data
   */
  #delayReset(data) {
    const { cursor } = this;
    this.#disconnect();
    this.#transition("lost");
    this.#timers.retry = setTimeout(
      () => {
        this.#onEvent(RESET, data, cursor);
        this.#connect();
      },
      backoff(this.#resetTimes.length + MAX_RESETS),
    );
  }

  // -- errors and timeouts

  // A poll that was answered ends in an error, too. A second error without an event in between is a failure.
  #handleError() {
    const isClosed = this.#source?.readyState === EventSource.CLOSED;
    const isAnswered = this.#isPolling && this.#failures === 0 && !isClosed;
    if (this.#isLoginEnded) this.#transition("ended");
    else if (isAnswered) this.#failures += 1;
    else this.#countFailure();
    if (isClosed) this.#reconnectLater();
  }

  #countFailure() {
    this.#failures += 1;
    const isUnreachable = navigator.onLine === false || this.#failures >= FAILURES_UNTIL_OFFLINE;
    this.#transition(isUnreachable ? "unreachable" : "lost");
  }

  // EventSource does not report why a request was refused, so `fetch` asks while the retry waits.
  #reconnectLater() {
    clearInterval(this.#checkTimer);
    clearTimeout(this.#timers.retry);
    const source = this.#source;
    let refusal = /** @type {Parley.StreamRefusal} */ ({ status: 0, positions: [] });
    if (source instanceof ChangesSource) refusal = source.refusal;
    else
      fetchRefusal(this.#address(true)).then((found) => {
        refusal = found;
      });
    this.#timers.retry = setTimeout(() => {
      this.#onRefusal(refusal);
      if (this.#source === source) this.#connect();
    }, backoff(this.#failures));
  }

  /** @param {number} ms */
  #startTimeout(ms) {
    this.#receivedAt = Date.now();
    this.#timeoutMs = ms;
  }

  // A connection can be lost without an error (sleep, a dropped NAT entry); then only heartbeats are missing. The wall
  // clock decides, because timers stop while a machine sleeps.
  #checkTimeout() {
    if (Date.now() < this.#receivedAt) this.#receivedAt = Date.now(); // the clock was set back
    if (this.#isSilent()) this.#handleSilence();
  }

  #isSilent() {
    return Date.now() - this.#receivedAt > this.#timeoutMs;
  }

  // Without a first block, something buffers the response: poll. If a poll gets no answer either, the connection is
  // lost.
  #handleSilence() {
    const isFirst = this.#timeoutMs === FIRST_BLOCK_TIMEOUT_MS;
    const isBuffered = isFirst && !this.#isPolling && !this.#isCollapsed();
    this.#isPolling = isBuffered;
    if (isBuffered) this.#streamLater();
    else this.#countFailure();
    this.#connect();
  }

  #streamLater() {
    clearTimeout(this.#timers.streaming);
    this.#timers.streaming = setTimeout(() => this.#stopPolling(), this.#pollingMs);
    this.#pollingMs = Math.min(2 * this.#pollingMs, MAX_POLLING_MS);
  }

  #stopPolling() {
    if (!this.#isPolling || this.#source === null) return;
    this.#isPolling = false;
    this.#connect();
  }

  #disconnect() {
    clearInterval(this.#checkTimer);
    clearTimeout(this.#timers.retry);
    clearTimeout(this.#timers.caughtUp);
    this.#source?.close();
    this.#source = null;
  }

  /** @param {Parley.StreamInput} input */
  #transition(input) {
    const state = next(this.state, input);
    if (state === this.state) return;
    this.state = state;
    this.#onState(state);
  }
}

/**
 * The status, 0 without a response, and the `positions`, counted from 0, of the topics that the server refuses.
 * @type {(address: string) => Promise<Parley.StreamRefusal>}
 */
async function fetchRefusal(address) {
  const aborted = new AbortController();
  try {
    const { signal } = aborted;
    const response = await fetch(address, { headers: { Accept: "text/event-stream" }, signal });
    const isProblem = response.headers.get("Content-Type") === "application/problem+json";
    const problem = isProblem ? await response.json() : {};
    return { status: response.status, positions: problem.topic_positions ?? [] };
  } catch {
    return { status: 0, positions: [] };
  } finally {
    aborted.abort(); // the response may be a stream after all
  }
}
