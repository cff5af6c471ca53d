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
      const wish = { name, hold, resolve, reject };
      signal?.addEventListener("abort", () => {
        if (!this.#queue.includes(wish)) return;
        this.#queue = this.#queue.filter((one) => one !== wish);
        reject(new DOMException("aborted", "AbortError"));
      });
      if (steal) {
        for (const lock of this.held.filter((one) => one.name === name)) {
          this.held = this.held.filter((one) => one !== lock);
          lock.reject(new DOMException("stolen", "AbortError"));
        }
        this.#queue.unshift(wish);
      } else this.#queue.push(wish);
      queueMicrotask(() => this.#grant());
    });
  }

  #grant() {
    for (const wish of [...this.#queue]) {
      const { name, hold, resolve, reject } = wish;
      if (this.held.some((lock) => lock.name === name)) continue;
      this.#queue = this.#queue.filter((one) => one !== wish);
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
  #isStuck = false;
  #waiting = []; // what the tab would do if it did not hang

  constructor() {
    channels.add(this);
  }

  postMessage(data) {
    const tell = () => {
      const others = [...channels].filter((channel) => channel !== this);
      for (const other of others) queueMicrotask(() => other.#hear(data));
    };
    if (this.#isStuck) this.#waiting.push(tell);
    else tell();
  }

  #hear(data) {
    if (!channels.has(this)) return;
    if (this.#isStuck) this.#waiting.push(() => this.#hear(data));
    else this.onmessage({ data });
  }

  hang() {
    this.#isStuck = true;
  }

  goOn() {
    this.#isStuck = false;
    for (const act of this.#waiting.splice(0)) act();
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

  /** A tab that follows one topic from this cursor on. */
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

  /** In small steps, because promises settle between them. */
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
  heard = [];
  #window = globalThis.window;
  #channel;

  constructor(topic, cursor) {
    const bus = { ...Backbone.Events };
    bus.on("global.comment.create.success", ({ id }) => this.heard.push(id));
    this.tabs = new Tabs();
    this.relay = new StreamLeader(this.tabs);
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
  async putAside() {
    this.#window.dispatchEvent(new Event("pagehide"));
    await settle();
  }

  async comeBack() {
    const shown = Object.assign(new Event("pageshow"), { persisted: true });
    this.#window.dispatchEvent(shown);
    await settle();
  }

  /** It neither hears nor says anything until `goOn`. */
  hang() {
    this.#channel.hang();
  }

  goOn() {
    this.#channel.goOn();
  }

  /** The page looks whether somebody still leads. */
  async look() {
    this.#window.dispatchEvent(new Event("focus"));
    await settle();
  }
}

export async function settle() {
  for (let turn = 0; turn < 5; turn += 1) await settled();
}
