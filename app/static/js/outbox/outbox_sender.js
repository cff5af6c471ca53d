// Brings what is in the outbox to the server: one record at a time, in order, from the tab that leads. Whatever may
// pass is tried again, later and later; a record that the server will never take is refused, and the next one sent.

import { backoff } from "../core/backoff.js";
import {
  LEADER_CHECK,
  LEADERSHIP_GAINED,
  LOGIN_ENDED,
  OUTBOX_CHANGED,
  OUTBOX_VOLATILE,
  STREAM_STATE,
} from "../core/events.js";
import { Problem } from "../core/problem.js";

const METHODS = { create: "create", update: "patch", destroy: "delete" };
const PUT = "update"; // as Backbone calls it
const COUNTED = "Parley-Counted";
const ETAG = /^(?:W\/)?"(\d+)"$/; // proxies that compress make it weak
const PASSING = [0, 401, 408, 425, 429, 502, 503, 504]; // what is no answer to this record, or not the last
const UNAUTHORIZED = 401;
const MOST_ERRORS = 5; // of a server that stumbles over one record, before the others are sent

export class OutboxSender {
  #outbox;
  #tabs;
  #bus;
  #viewer;
  #sending = false;
  #failures = 0;
  #errors = 0;
  #rest = 0;

  /** `viewer` () returns the id of the signed-in account, or null. */
  constructor({ outbox, tabs, bus, viewer }) {
    this.#outbox = outbox;
    this.#tabs = tabs;
    this.#bus = bus;
    this.#viewer = viewer;
    tabs.on(`${LEADERSHIP_GAINED} ${LEADER_CHECK}`, () => this.#hurry());
    bus.on(`${OUTBOX_CHANGED} ${OUTBOX_VOLATILE}`, () => this.#wake());
    bus.on(STREAM_STATE, (state) => state === "live" && this.#hurry());
    window.addEventListener("online", () => this.#hurry());
  }

  // There is reason to believe that it will work now: no sense in sitting out the wait.
  #hurry() {
    clearTimeout(this.#rest);
    this.#rest = 0;
    this.#wake();
  }

  async #wake() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#mayGo() && this.#outbox.next()) await this.#bring();
    } finally {
      this.#sending = false;
    }
  }

  #mayGo() {
    const isOurs = this.#tabs.leads || this.#outbox.volatile;
    return isOurs && this.#rest === 0 && !this.#outbox.held && this.#viewer() !== null;
  }

  async #bring() {
    const before = this.#outbox.next();
    const wasOffline = navigator.onLine === false;
    const sent = await this.#outbox.send(before);
    if (sent === null) return;
    try {
      const { state, isNew, counted } = await ask(sent);
      this.#failures = this.#errors = 0;
      this.#outbox.rest(false);
      await this.#outbox.confirm(sent, state, isNew, counted);
    } catch (problem) {
      if (!(problem instanceof Problem)) return this.#stumble(problem);
      if (wasOffline && problem.status === 0) await this.#outbox.recall(before);
      await this.#failed(sent, problem);
    }
  }

  // An exception in a view's listener must not stop the sender.
  #stumble(error) {
    reportError(error);
    this.#later({ status: 0, retryAfter: 0 });
  }

  async #failed(sent, problem) {
    if (this.#passes(problem)) return this.#later(problem);
    this.#errors = 0;
    await this.#outbox.refuse(sent, problem.toJSON());
  }

  #passes({ status }) {
    if (PASSING.includes(status)) return true;
    if (status >= 500) this.#errors += 1;
    return status >= 500 && this.#errors < MOST_ERRORS;
  }

  #later(problem) {
    this.#failures += 1;
    this.#outbox.rest(true);
    const wait = Math.max(backoff(this.#failures), problem.retryAfter * 1_000);
    this.#rest = setTimeout(() => this.#hurry(), wait);
    if (problem.status === UNAUTHORIZED) this.#bus.trigger(LOGIN_ENDED, {});
  }
}

// For whom it is sent: the server refuses it should somebody else be signed in by now, in another tab.
function ask({ key, user, root, address, act, attrs, base }) {
  const model = new Backbone.Model({ id: key });
  const url = address ?? (act === "create" ? root : `${root}${key}`);
  const method = address && act === "create" ? PUT : METHODS[act];
  const headers = { "Parley-User": user };
  return new Promise((resolve, reject) => {
    model.sync(method, model, {
      url,
      headers,
      attrs: act === "create" ? { id: key, ...attrs } : attrs,
      ifMatch: act === "update" ? base?.seq : undefined,
      success: (state, _, xhr) =>
        resolve({
          state: state ?? (address ? { id: key, deleted: true, seq: seqOf(xhr) } : null),
          isNew: act !== "create" || xhr.status === 201,
          counted: Number(xhr.getResponseHeader(COUNTED)) || null,
        }),
      error: reject,
    });
  });
}

const seqOf = (xhr) => Number(ETAG.exec(xhr.getResponseHeader("ETag"))?.[1] ?? 0);
