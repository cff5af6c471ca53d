// The stream's end in the browser: EventSource in, bus out. It knows no models.
//
// A lost connection is EventSource's own affair: it reconnects and says where it was. Only where it gives
// up (any status but 200, a wrong type), or where nothing has come for too long, a new one is made; that
// one passes `cursor`, for `Last-Event-ID` lives and dies with its EventSource.

import { backoff } from "./backoff.js";
import { STREAM_STATE, WIRE_CHANGES, WIRE_CONTROLS } from "./events.js";

const HEARTBEAT_MS = 15_000;
const SILENCE_MS = 2.5 * HEARTBEAT_MS;
const FIRST_BLOCK_MS = 8_000;
const POLLING_MS = 60_000;
const FAILURES_UNTIL_OFFLINE = 4;

export class Connector {
  state = "idle";
  lastEventId = "";
  #bus;
  #source = null;
  #topics = [];
  #cursors = [];
  #failures = 0;
  #wanted = false;
  #once = false;
  #watchdog = 0;
  #retry = 0;
  #plain = 0;

  constructor(bus) {
    this.#bus = bus;
    window.addEventListener("pagehide", () => this.#drop());
    window.addEventListener("pageshow", (event) => event.persisted && this.#again());
    window.addEventListener("online", () => this.#again());
    window.addEventListener("offline", () => this.#wanted && this.#say("offline"));
    document.addEventListener("visibilitychange", () => this.#hurry());
  }

  /** Follow these topics from these cursors on. No topic at all: what concerns the account alone. */
  open(topics, cursors) {
    this.#topics = topics;
    this.#cursors = cursors;
    this.#failures = 0;
    this.#wanted = true;
    this.#once = false;
    this.lastEventId = "";
    this.#connect("connecting");
  }

  /** No stream until the next `open` or `resume`. */
  close() {
    this.#wanted = false;
    this.#drop();
    this.#say("idle");
  }

  /** Go on after `close`, from the last event that came. */
  resume() {
    this.#wanted = true;
    this.#connect("connecting");
  }

  #connect(state) {
    this.#drop();
    this.#say(navigator.onLine === false ? "offline" : state);
    this.#source = new EventSource(this.#address());
    this.#source.addEventListener("error", () => this.#failed());
    for (const name of WIRE_CHANGES) {
      this.#hear(name, (data) => this.#bus.trigger(name, data.payload.model));
    }
    for (const [name, local] of Object.entries(WIRE_CONTROLS)) {
      this.#hear(name, (data) => this.#bus.trigger(local, data));
    }
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#giveUpWaiting(), FIRST_BLOCK_MS);
  }

  #giveUpWaiting() {
    clearTimeout(this.#plain);
    this.#once = this.#failures === 0;
    if (this.#once) this.#plain = setTimeout(() => this.#streamAgain(), POLLING_MS);
    this.#again();
  }

  #streamAgain() {
    if (!this.#once) return;
    this.#once = false;
    this.#again();
  }

  #address() {
    const query = new URLSearchParams();
    for (const topic of this.#topics) query.append("topic", topic);
    const cursors = this.lastEventId ? [this.lastEventId] : this.#cursors;
    for (const cursor of cursors) query.append("cursor", cursor);
    if (this.#once) query.append("once", "1");
    return `/streams?${query}`;
  }

  #hear(name, handle) {
    this.#source.addEventListener(name, (event) => {
      this.lastEventId = event.lastEventId || this.lastEventId;
      this.#failures = 0;
      this.#watch();
      this.#say("live");
      handle(JSON.parse(event.data));
    });
  }

  #failed() {
    this.#failures += 1;
    const closed = this.#source.readyState === EventSource.CLOSED;
    const polling = this.#once && this.#failures === 1 && !closed;
    if (!polling) this.#say(this.#seemsOffline() ? "offline" : "reconnecting");
    if (closed) this.#connectLater();
  }

  #seemsOffline() {
    return navigator.onLine === false || this.#failures >= FAILURES_UNTIL_OFFLINE;
  }

  #connectLater() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#again(), backoff(this.#failures));
  }

  // A connection can die without a word (sleep, a dropped NAT entry): no heartbeat says so.
  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#again(), SILENCE_MS);
  }

  #again() {
    if (this.#wanted) this.#connect(this.#seemsOffline() ? "offline" : "reconnecting");
  }

  // Somebody looks at the page again: no sense in sitting out the wait.
  #hurry() {
    const waiting = this.#source?.readyState === EventSource.CLOSED;
    if (waiting && document.visibilityState === "visible") this.#again();
  }

  #drop() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #say(state) {
    if (state === this.state) return;
    this.state = state;
    this.#bus.trigger(STREAM_STATE, state);
  }
}
