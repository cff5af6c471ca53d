// Sends the records of the outbox from the leading tab, one at a time and in order. After a failure that may be
// temporary, it retries with back-off. A record that the server refuses is marked, and the next one is sent.

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
const PUT = "update"; // Backbone's name for it
const COUNTED = "Parley-Counted";
const ETAG = /^(?:W\/)?"(\d+)"$/; // weak from proxies that compress
const RETRIED_STATUSES = [0, 401, 408, 425, 429, 502, 503, 504]; // temporary, or not about this record
const UNAUTHORIZED = 401;
const MAX_SERVER_ERRORS = 5; // for one record (other 5xx), before it counts as refused

export class OutboxSender {
  #outbox;
  #tabs;
  #bus;
  #viewer;
  #isSending = false;
  #failures = 0; // in a row
  #serverErrors = 0; // for the current record
  #retryTimer = 0;

  /** `viewer` () returns the id of the signed-in account, or null. */
  constructor({ outbox, tabs, bus, viewer }) {
    this.#outbox = outbox;
    this.#tabs = tabs;
    this.#bus = bus;
    this.#viewer = viewer;
    tabs.on(`${LEADERSHIP_GAINED} ${LEADER_CHECK}`, () => this.#retryNow());
    bus.on(`${OUTBOX_CHANGED} ${OUTBOX_VOLATILE}`, () => this.#sendAll());
    bus.on(STREAM_STATE, (state) => state === "live" && this.#retryNow());
    window.addEventListener("online", () => this.#retryNow());
  }

  // The server is probably reachable again, so the sender does not wait for the end of the back-off.
  #retryNow() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#sendAll();
  }

  async #sendAll() {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      while (this.#canSend() && this.#outbox.next()) await this.#sendNext();
    } finally {
      this.#isSending = false;
    }
  }

  #canSend() {
    const isSender = this.#tabs.leads || this.#outbox.volatile;
    return isSender && this.#retryTimer === 0 && !this.#outbox.held && this.#viewer() !== null;
  }

  async #sendNext() {
    const before = this.#outbox.next();
    const wasOffline = navigator.onLine === false;
    const sent = await this.#outbox.markSent(before);
    if (sent === null) return;
    try {
      const { state, isNew, counted } = await send(sent);
      this.#failures = this.#serverErrors = 0;
      this.#outbox.setBackingOff(false);
      await this.#outbox.confirm(sent, state, isNew, counted);
    } catch (problem) {
      if (!(problem instanceof Problem)) return this.#handleException(problem);
      if (wasOffline && problem.status === 0) await this.#outbox.markUnsent(before);
      await this.#handleProblem(sent, problem);
    }
  }

  // An exception in a view's listener must not stop the sender.
  #handleException(error) {
    reportError(error);
    this.#retryLater({ status: 0, retryAfter: 0 });
  }

  async #handleProblem(sent, problem) {
    if (this.#isRetried(problem)) return this.#retryLater(problem);
    this.#serverErrors = 0;
    await this.#outbox.refuse(sent, problem.toJSON());
  }

  #isRetried({ status }) {
    if (RETRIED_STATUSES.includes(status)) return true;
    if (status >= 500) this.#serverErrors += 1;
    return status >= 500 && this.#serverErrors < MAX_SERVER_ERRORS;
  }

  #retryLater(problem) {
    this.#failures += 1;
    this.#outbox.setBackingOff(true);
    const wait = Math.max(backoff(this.#failures), problem.retryAfter * 1_000);
    this.#retryTimer = setTimeout(() => this.#retryNow(), wait);
    if (problem.status === UNAUTHORIZED) this.#bus.trigger(LOGIN_ENDED, {});
  }
}

// The request names the account of the record. If another account is signed in by now, in another tab, the server
// refuses it.
function send({ key, user, root, address, act, attrs, base }) {
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
