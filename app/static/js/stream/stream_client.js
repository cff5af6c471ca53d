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

const LEADER_TIMEOUT_MS = 45_000; // without a message of the round; heartbeats come every 15 s
const CHECK_INTERVAL_MS = 5_000;
const CLOSED_STATES = ["idle", "signed-out"];
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
  #isOpen = false;
  /** @type {string | null} */ #round = null; // the id of this tab's round
  #isLeftOut = false; // one stream has no room for all tabs, and the others were visible more recently
  #receivedAt = 0;

  /**
   * `viewer` () returns the id of the signed-in account, or null.
   * @param {{ bus: Backbone.Events, tabs: import("./tabs.js").Tabs, viewer: () => string | null }} page
   */
  constructor({ bus, tabs, viewer }) {
    this.#bus = bus;
    this.#tabs = tabs;
    this.#viewer = viewer;
    tabs.on(JOIN_REQUEST, () => (this.#isOpen ? this.#join() : this.#part()));
    tabs.on(TAB_RESUMED, () => this.#isOpen && this.#join());
    tabs.on(TAB_SUSPENDED, () => this.#part());
    tabs.on(ROUND_STARTED, (round) => this.#enterRound(round));
    tabs.on(ROUND_STATE, (message) => this.#isOfRound(message) && this.#setState(message.state));
    tabs.on(ROUND_EVENT, (message) => this.#isOfRound(message) && this.#publish(message));
    window.addEventListener("online", () => this.#checkLeader());
    window.addEventListener("focus", () => this.#checkLeader());
    document.addEventListener("visibilitychange", () => this.#postVisibility());
    setInterval(() => this.#checkTimeout(), CHECK_INTERVAL_MS);
  }

  /** Whether this tab holds the browser's stream. */
  get leads() {
    return this.#tabs.leads;
  }

  /**
   * Follow these topics from these cursors on. Without a topic, only the account's own topic is followed. `counts`
   * {topics, cursors} are left out first if the stream has no room for all; STREAM_LEFT_OUT says which topics are left
   * out.
   * @type {(topics: string[], cursors: string[], counts?: Parley.Followed) => void}
   */
  open(topics, cursors, counts = NO_COUNTS) {
    this.#topics = topics;
    this.#cursors = cursors;
    this.#counts = counts;
    this.lastEventId = "";
    this.resume();
  }

  /** Follow nothing until the next `open` or `resume`. */
  close() {
    this.#isOpen = false;
    this.#part();
    this.#setState("idle");
  }

  /** Continue after `close`, from the last event that was received. */
  resume() {
    this.#isOpen = true;
    this.#round = null;
    this.#setState("connecting");
    this.#join();
  }

  #join() {
    this.#receivedAt = Date.now();
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
   * The browser's one stream is for the account that is signed in. If this page is for another account, it is out of
   * date.
   * @param {{ round: string, user: string | null, tabs: string[], topics?: string[] }} message
   */
  #enterRound({ round, user, tabs, topics = [] }) {
    const isViewers = user === this.#viewer();
    this.#isLeftOut = isViewers && !tabs.includes(this.#tabs.id);
    const isMember = this.#isOpen && isViewers && !this.#isLeftOut;
    this.#round = isMember ? round : null;
    if (isMember) this.#publishLeftOut(new Set(topics));
    if (!isViewers) this.#bus.trigger(LOGIN_CHANGED);
  }

  /** @param {Set<string>} followed */
  #publishLeftOut(followed) {
    const wanted = [...this.#topics, ...this.#counts.topics];
    this.#bus.trigger(STREAM_LEFT_OUT, { topics: wanted.filter((topic) => !followed.has(topic)) });
  }

  /** @param {{ round: string }} message */
  #isOfRound({ round }) {
    if (round !== this.#round) return false;
    this.#receivedAt = Date.now();
    return true;
  }

  /** @param {{ name: string, data: string, id: string }} message */
  #publish({ name, data, id }) {
    this.lastEventId = id;
    const content = JSON.parse(data);
    if (WIRE_CHANGES.includes(name)) this.#bus.trigger(name, content.payload.model);
    else this.#bus.trigger(WIRE_CONTROLS[name], content);
  }

  // -- the leader's timeout

  // If there is not room for all tabs, visible ones come first.
  #postVisibility() {
    const isVisible = document.visibilityState === "visible";
    this.#tabs.post(TAB_VISIBILITY, { tab: this.#tabs.id, isVisible });
    this.#checkLeader();
  }

  #checkLeader() {
    if (!this.#isOpen || document.visibilityState !== "visible") return;
    this.#tabs.checkLeader();
    if (this.#round === null) this.#join();
  }

  #checkTimeout() {
    const waited = Date.now() - this.#receivedAt;
    if (waited < 0) this.#receivedAt = Date.now(); // the clock was set back
    const isWithoutRound = this.#isOpen && this.#round === null && !this.#isLeftOut;
    if (isWithoutRound && waited > CHECK_INTERVAL_MS) this.#join();
    else if (waited > LEADER_TIMEOUT_MS && !CLOSED_STATES.includes(this.state)) this.#checkLeader();
  }

  /** @param {Parley.StreamState} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#bus.trigger(STREAM_STATE, state);
  }
}
