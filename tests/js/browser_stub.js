// The parts of a browser that its tabs share: locks, a broadcast channel, and streams. Each tab has a window of its own.

import { mock } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { StreamClient } from "../../app/static/js/stream/stream_client.js";
import { StreamLeader } from "../../app/static/js/stream/stream_leader.js";
import { Tabs } from "../../app/static/js/stream/tabs.js";

class Locks {
  held = []; // {name, end, reject}
  #queue = [];

  async query() {
    return { held: this.held.map(({ name }) => ({ name })) };
  }

  request(name, { signal, steal = false }, hold) {
    return new Promise((resolve, reject) => {
      const candidate = { name, hold, resolve, reject };
      signal?.addEventListener("abort", () => {
        if (!this.#queue.includes(candidate)) return;
        this.#queue = this.#queue.filter((one) => one !== candidate);
        reject(new DOMException("aborted", "AbortError"));
      });
      if (steal) {
        for (const lock of this.held.filter((one) => one.name === name)) {
          this.held = this.held.filter((one) => one !== lock);
          lock.reject(new DOMException("stolen", "AbortError"));
        }
        this.#queue.unshift(candidate);
      } else this.#queue.push(candidate);
      queueMicrotask(() => this.#grant());
    });
  }

  #grant() {
    for (const candidate of [...this.#queue]) {
      const { name, hold, resolve, reject } = candidate;
      if (this.held.some((lock) => lock.name === name)) continue;
      this.#queue = this.#queue.filter((one) => one !== candidate);
      const lock = { name, reject };
      this.held.push(lock);
      Promise.resolve(hold({ name })).then((result) => {
        resolve(result);
        if (!this.held.includes(lock)) return;
        this.held = this.held.filter((one) => one !== lock);
        this.#grant();
      });
    }
  }
}

const channels = new Set();

class FakeChannel {
  #isHanging = false;
  #delayed = []; // actions of a tab that hangs

  constructor() {
    channels.add(this);
  }

  postMessage(data) {
    const deliver = () => {
      const others = [...channels].filter((channel) => channel !== this);
      for (const other of others) queueMicrotask(() => other.#receive(data));
    };
    if (this.#isHanging) this.#delayed.push(deliver);
    else deliver();
  }

  #receive(data) {
    if (!channels.has(this)) return;
    if (this.#isHanging) this.#delayed.push(() => this.#receive(data));
    else this.onmessage({ data });
  }

  hang() {
    this.#isHanging = true;
  }

  unhang() {
    this.#isHanging = false;
    for (const act of this.#delayed.splice(0)) act();
  }

  close() {
    channels.delete(this);
  }
}

export class FakeEventSource extends EventTarget {
  static CLOSED = 2;
  readyState = 0;

  constructor(address) {
    super();
    this.length = address.length;
    this.query = new URL(address, "http://parley.test").searchParams;
    Browser.current.streams.push(this);
  }

  close() {
    this.readyState = 2;
  }

  send(name, data, lastEventId) {
    this.readyState = 1;
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
  }

  refuse() {
    this.readyState = 2;
    this.dispatchEvent(new Event("error"));
  }
}

/** A browser on a clock that only `wait` moves. */
export class Browser {
  static current;
  streams = []; // EventSources, in order
  locks = new Locks();
  #window = globalThis.window;

  constructor() {
    Browser.current = this;
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
    Object.assign(document, { visibilityState: "visible", addEventListener: () => {} });
    const navigator = { onLine: true, locks: this.locks };
    Object.defineProperty(globalThis, "navigator", { configurable: true, value: navigator });
    globalThis.BroadcastChannel = FakeChannel;
    globalThis.EventSource = FakeEventSource;
  }

  /** Open a tab that follows one topic from this cursor on. */
  async open(topic, cursor) {
    globalThis.window = new EventTarget();
    globalThis.window.BroadcastChannel = FakeChannel;
    const tab = new Tab(topic, cursor);
    await settle();
    return tab;
  }

  openStreams() {
    return this.streams.filter((stream) => stream.readyState < 2);
  }

  get stream() {
    return this.streams.at(-1);
  }

  /** Advance the clock in small steps, because promises settle between them. */
  async wait(ms) {
    for (let passed = 0; passed < ms; passed += 100) {
      mock.timers.tick(100);
      await settle();
    }
  }

  end() {
    channels.clear();
    mock.timers.reset();
    mock.restoreAll();
    globalThis.window = this.#window;
  }
}

class Tab {
  received = [];
  #window = globalThis.window;
  #channel;

  constructor(topic, cursor) {
    const bus = { ...Backbone.Events };
    bus.on("global.comment.create.success", ({ id }) => this.received.push(id));
    this.tabs = new Tabs();
    this.leader = new StreamLeader(this.tabs);
    this.connector = new StreamClient({ bus, tabs: this.tabs, viewer: () => "1" });
    const before = new Set(channels);
    this.tabs.enter();
    this.#channel = [...channels].find((channel) => !before.has(channel));
    this.connector.open([topic], [cursor]);
  }

  get leads() {
    return this.tabs.leads;
  }

  /** The page goes into the back/forward cache. */
  async suspend() {
    this.#window.dispatchEvent(new Event("pagehide"));
    await settle();
  }

  async resume() {
    const shown = Object.assign(new Event("pageshow"), { persisted: true });
    this.#window.dispatchEvent(shown);
    await settle();
  }

  /** It neither receives nor posts a message until `unhang`. */
  hang() {
    this.#channel.hang();
  }

  unhang() {
    this.#channel.unhang();
  }

  /** A person returns to the tab. Its page then checks the leader. */
  async focus() {
    this.#window.dispatchEvent(new Event("focus"));
    await settle();
  }
}

export async function settle() {
  for (let turn = 0; turn < 5; turn += 1) await settled();
}
