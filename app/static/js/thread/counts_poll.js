// Numbers of comments that do not fit into the stream's address (round_plan.js) are polled instead. They are at most
// half a minute old while the page is visible.

import { backoff } from "../core/backoff.js";
import { STREAM_LEFT_OUT, STREAM_STATE } from "../core/events.js";
import { Problem } from "../core/problem.js";
import { commentableTopic } from "./commentables.js";

const INTERVAL_MS = 30_000;
const LIVE = ["live", "catching-up", "polling"];

export class CountsPoll {
  #collection;
  #leftOut = new Set(); // names that are polled
  #returning = new Set(); // names that are in the stream again; they are read once more after the stream has started
  #state = "idle";
  #timer = 0;
  #failures = 0;
  #isReading = false;

  constructor({ bus, collection }) {
    this.#collection = collection;
    bus.on(STREAM_LEFT_OUT, ({ topics }) => this.#setLeftOut(new Set(topics)));
    bus.on(STREAM_STATE, (state) => this.#setState(state));
    document.addEventListener("visibilitychange", () => this.#schedule(0));
  }

  #setLeftOut(topics) {
    const before = this.#leftOut;
    this.#leftOut = new Set(
      this.#collection.names.filter((name) => topics.has(commentableTopic(name))),
    );
    for (const name of before) if (!this.#leftOut.has(name)) this.#returning.add(name);
    for (const name of this.#leftOut) this.#returning.delete(name);
    this.#schedule(0);
  }

  #setState(state) {
    this.#state = state;
    if (LIVE.includes(state) && this.#returning.size > 0) this.#schedule(0);
  }

  #names() {
    const isLive = LIVE.includes(this.#state);
    return [...this.#leftOut, ...(isLive ? this.#returning : [])];
  }

  #schedule(ms) {
    clearTimeout(this.#timer);
    const isWanted = document.visibilityState === "visible" && this.#names().length > 0;
    if (isWanted && !this.#isReading) this.#timer = setTimeout(() => this.#read(), ms);
  }

  async #read() {
    const names = this.#names();
    this.#isReading = true;
    try {
      const { commentables } = await this.#collection.read({}, names);
      for (const state of commentables) this.#collection.upsert(state);
      for (const name of names) this.#returning.delete(name);
      this.#failures = 0;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#failures += 1;
    } finally {
      this.#isReading = false;
      this.#schedule(INTERVAL_MS + (this.#failures ? backoff(this.#failures) : 0));
    }
  }
}
