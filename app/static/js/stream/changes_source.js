// Follows topics for a guest by long polls, which a cache answers for many guests at once (`GET /changes`,
// app/changes.py). It has those parts of an EventSource that `Stream` uses, so that states, timeouts and back-off are
// the same. A heartbeat follows the events of each response.

import { BASE } from "../core/base.js";
import { HEARTBEAT, RESET } from "../core/events.js";
import { cursorsOf, encode } from "./stream_address.js";

// A browser has six connections to a host over HTTP/1.1, and other requests need some of them.
export const MAX_POLLED_TOPICS = 4;
const TIMEOUT_MS = 30_000; // the server responds within 21 s
const TOPIC_REFUSED_STATUSES = [403, 404, 422];
const SHORT_POLL_MS = 500; // a shorter poll without events probably came from a cache that ignores the query
const PAUSE_MS = 1_000; // after such a poll

/** @typedef {{ events: { name: string, data: object }[], cursor: string, next: string }} Changes */

export class ChangesSource extends EventTarget {
  readyState = 0;
  /** @type {Parley.StreamRefusal} */ refusal = { status: 0, positions: [] };
  #topics;
  #firstCursors;
  /** @type {Map<string, string>} */ #cursors = new Map(); // by topic, from the responses
  #closed = new AbortController();

  /**
   * @param {string[]} topics
   * @param {string[]} cursors
   */
  constructor(topics, cursors) {
    super();
    this.#topics = topics;
    this.#firstCursors = cursorsOf(cursors);
    const after = this.#firstCursors.map((cursor) => `after=${encode(cursor)}`);
    for (const topic of topics) this.#follow(topic, [...after, "now=1"].join("&"));
  }

  close() {
    this.readyState = EventSource.CLOSED;
    this.#closed.abort();
  }

  /**
   * @param {string} topic
   * @param {string} query
   */
  async #follow(topic, query) {
    try {
      let changes = await this.#read(topic, query);
      while (!this.#closed.signal.aborted) {
        this.#deliver(topic, changes);
        const began = performance.now();
        changes = await this.#read(topic, changes.next);
        const isShort = performance.now() - began < SHORT_POLL_MS;
        if (isShort && changes.events.length === 0) await pause();
      }
    } catch {
      this.#fail();
    }
  }

  /**
   * @param {string} topic
   * @param {string} query
   * @returns {Promise<Changes>}
   */
  async #read(topic, query) {
    const timer = setTimeout(() => this.#fail(), TIMEOUT_MS);
    try {
      const path = topic.split("/").map(encode).join("/");
      const { signal } = this.#closed;
      const response = await fetch(`${BASE}/changes/${path}?${query}`, {
        cache: "no-store",
        signal,
      });
      if (!response.ok) this.#setRefusal(response.status, topic);
      return await response.json();
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * @param {number} status
   * @param {string} topic
   */
  #setRefusal(status, topic) {
    const isOfTopic = TOPIC_REFUSED_STATUSES.includes(status);
    this.refusal = { status, positions: isOfTopic ? [this.#topics.indexOf(topic)] : [] };
    throw new Error(`status ${status}`);
  }

  /**
   * Only the last event of a response, or a reset, moves the position: a tab may be suspended between two of them.
   * @param {string} topic
   * @param {Changes} changes
   */
  #deliver(topic, { events, cursor }) {
    this.readyState = 1;
    this.#cursors.set(topic, cursor);
    const position = this.#position();
    const heartbeat = { name: HEARTBEAT, data: { cursor: position } };
    for (const { name, data } of [...events, heartbeat]) {
      if (this.#closed.signal.aborted) return;
      const lastEventId = [HEARTBEAT, RESET].includes(name) ? position : "";
      this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
    }
  }

  // The server starts from the smallest of several cursors that name a topic.
  #position() {
    const isComplete = this.#cursors.size === this.#topics.length;
    const cursors = [...this.#cursors.values(), ...(isComplete ? [] : this.#firstCursors)];
    return cursors.join(",");
  }

  #fail() {
    if (this.#closed.signal.aborted) return;
    this.close();
    this.dispatchEvent(new Event("error"));
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
