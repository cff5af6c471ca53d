// The messages between Parley's iframe and the page that contains it, the host. embed_thread.js is at the other end.
//
//   ready   to the host     the iframe listens. `theme`: the names of the theme's values (theme.js). It has no other
//                           data, because the host is not known yet
//   page    from the host   data about the page
//
// Each side accepts messages only from the other's window, and with an origin that the server has listed. It sends its
// messages to that origin only.

import { THEME } from "./theme.js";

const HOSTS = 'meta[name="parley-hosts"]';

/** @returns {string} the origins that the server has listed */
const listed = () => document.querySelector(HOSTS).getAttribute("content") ?? "";

export class HostMessages {
  /** The host's origin; null until its first message. */
  origin = null;
  #origins = [location.origin, ...listed().split(" ")];
  #onPage;

  /** `onPage` (page) receives the host's messages. */
  constructor(onPage) {
    this.#onPage = onPage;
  }

  open() {
    window.addEventListener("message", (event) => this.#onMessage(event));
    window.parent.postMessage({ parley: "ready", theme: Object.keys(THEME) }, "*");
  }

  /** Send a message, if the host is known. */
  send(kind, data) {
    if (this.origin) window.parent.postMessage({ parley: kind, ...data }, this.origin);
  }

  #onMessage({ source, origin, data }) {
    const isFromHost = source === window.parent && this.#origins.includes(origin);
    if (!isFromHost || data?.parley !== "page") return;
    this.origin = origin;
    this.#onPage(data);
  }
}
