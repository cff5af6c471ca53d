// A tab's client of the browser's one stream. It publishes the leading tab's events (stream_leader.js) on this tab's
// bus and advances this tab's cursor. It knows no models.

import {
  JOIN_REQUEST,
  LOGIN_CHANGED,
  ROUND_EVENT,
  ROUND_STARTED,
  ROUND_STATE,
  STREAM_LEFT_OUT,
  STREAM_STATE,
  TAB_JOINED,
  TAB_PARTED,
  TAB_RESUMED,
  TAB_SUSPENDED,
  TAB_VISIBILITY,
  WIRE_CHANGES,
  WIRE_CONTROLS,
} from "../core/events.js";

const SILENCE_MS = 45_000; // of a leader; heartbeats come three times as often
const TICK_MS = 5_000;
const RESTING = ["idle", "signed-out"];
const NO_COUNTS = { topics: [], cursors: [] };

export class StreamClient {
  /** @type {Parley.StreamState} */
  state = "idle";
  lastEventId = "";
  /** @type {Backbone.Events} */ #bus;
  /** @type {import("./tabs.js").Tabs} */ #tabs;
  /** @type {() => string | null} */ #viewer;
  /** @type {string[]} */ #topics = [];
  /** @type {string[]} */ #cursors = [];
  /** @type {Parley.Followed} */ #counts = NO_COUNTS;
  #wanted = false;
  /** @type {string | null} */ #round = null;
  #isLeftOut = false; // there are more tabs than one stream can serve, and the others had been looked at since
  #heardAt = 0;

  /**
   * `viewer` () returns the id of the signed-in account, or null.
   * @param {{ bus: Backbone.Events, tabs: import("./tabs.js").Tabs, viewer: () => string | null }} page
   */
  constructor({ bus, tabs, viewer }) {
    this.#bus = bus;
    this.#tabs = tabs;
    this.#viewer = viewer;
    tabs.on(JOIN_REQUEST, () => (this.#wanted ? this.#join() : this.#part()));
    tabs.on(TAB_RESUMED, () => this.#wanted && this.#join());
    tabs.on(TAB_SUSPENDED, () => this.#part());
    tabs.on(ROUND_STARTED, (round) => this.#entered(round));
    tabs.on(ROUND_STATE, (message) => this.#isOurs(message) && this.#say(message.state));
    tabs.on(ROUND_EVENT, (message) => this.#isOurs(message) && this.#received(message));
    window.addEventListener("online", () => this.#look());
    window.addEventListener("focus", () => this.#look());
    document.addEventListener("visibilitychange", () => this.#turned());
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Does this tab hold the browser's stream? */
  get leads() {
    return this.#tabs.leads;
  }

  /**
   * Follow these topics from these cursors on. Without a topic, only the account's own topic is followed. `counts` {topics,
   * cursors} are left out first if the stream has no room for all; STREAM_LEFT_OUT says which topics are left out.
   * @param {string[]} topics
   * @param {string[]} cursors
   */
  open(topics, cursors, counts = NO_COUNTS) {
    this.#topics = topics;
    this.#cursors = cursors;
    this.#counts = counts;
    this.lastEventId = "";
    this.resume();
  }

  /** Nothing to follow until the next `open` or `resume`. */
  close() {
    this.#wanted = false;
    this.#part();
    this.#say("idle");
  }

  /** Go on after `close`, from the last event that came. */
  resume() {
    this.#wanted = true;
    this.#round = null;
    this.#say("connecting");
    this.#join();
  }

  #join() {
    this.#heardAt = Date.now();
    const last = this.lastEventId ? [this.lastEventId] : null;
    this.#tabs.post(TAB_JOINED, {
      tab: this.#tabs.id,
      user: this.#viewer(),
      isVisible: document.visibilityState === "visible",
      topics: this.#topics,
      cursors: last ?? this.#cursors,
      counts: { topics: this.#counts.topics, cursors: last ?? this.#counts.cursors },
    });
  }

  #part() {
    this.#round = null;
    this.#tabs.post(TAB_PARTED, { tab: this.#tabs.id });
  }

  /**
   * The browser's one stream is for the account that is signed in. If another one looks at this page, this tab is late.
   * @param {{ round: string, user: string | null, tabs: string[], topics?: string[] }} message
   */
  #entered({ round, user, tabs, topics = [] }) {
    this.#isLeftOut = user === this.#viewer() && !tabs.includes(this.#tabs.id);
    const isOurs = this.#wanted && user === this.#viewer() && !this.#isLeftOut;
    this.#round = isOurs ? round : null;
    if (isOurs) this.#sayWhatIsLeftOut(new Set(topics));
    if (user !== this.#viewer()) this.#bus.trigger(LOGIN_CHANGED);
  }

  /** @param {Set<string>} followed */
  #sayWhatIsLeftOut(followed) {
    const wanted = [...this.#topics, ...this.#counts.topics];
    this.#bus.trigger(STREAM_LEFT_OUT, { topics: wanted.filter((topic) => !followed.has(topic)) });
  }

  /** @param {{ round: string }} message */
  #isOurs({ round }) {
    if (round !== this.#round) return false;
    this.#heardAt = Date.now();
    return true;
  }

  /** @param {{ name: string, data: string, id: string }} message */
  #received({ name, data, id }) {
    this.lastEventId = id;
    const said = JSON.parse(data);
    if (WIRE_CHANGES.includes(name)) this.#bus.trigger(name, said.payload.model);
    else this.#bus.trigger(WIRE_CONTROLS[name], said);
  }

  // -- is somebody still listening for us?

  // If there is not room for all tabs, visible ones come first.
  #turned() {
    const isVisible = document.visibilityState === "visible";
    this.#tabs.post(TAB_VISIBILITY, { tab: this.#tabs.id, isVisible });
    this.#look();
  }

  #look() {
    if (!this.#wanted || document.visibilityState !== "visible") return;
    this.#tabs.poke();
    if (this.#round === null) this.#join();
  }

  #tick() {
    const waited = Date.now() - this.#heardAt;
    if (waited < 0) this.#heardAt = Date.now(); // the clock was set back
    const isLost = this.#wanted && this.#round === null && !this.#isLeftOut;
    if (isLost && waited > TICK_MS) this.#join();
    else if (waited > SILENCE_MS && !RESTING.includes(this.state)) this.#look();
  }

  /** @param {Parley.StreamState} state */
  #say(state) {
    if (state === this.state) return;
    this.state = state;
    this.#bus.trigger(STREAM_STATE, state);
  }
}
