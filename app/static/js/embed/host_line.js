// The line between an iframe of ours and the page that it is in. At the other end there is embed_thread.js.
//
//   ready   to the host   a listener is here. `theme`: the names of what the page may say of how the thread looks. Nothing else,
//                         because the host is not known yet
//   page    from there    something about the page
//
// Each hears only the other's window, with an origin that the server has listed, and answers to just that.

import { THEME } from "./theme.js";

const HOSTS = 'meta[name="parley-hosts"]';

/** @returns {string} the origins that the server has listed */
const listed = () => document.querySelector(HOSTS).getAttribute("content") ?? "";

export class HostLine {
  /** The host's, once it has spoken. */
  origin = null;
  #origins = [location.origin, ...listed().split(" ")];
  #hear;

  /** `hear` (page): what the host says of itself. */
  constructor(hear) {
    this.#hear = hear;
  }

  open() {
    window.addEventListener("message", (event) => this.#heard(event));
    window.parent.postMessage({ parley: "ready", theme: Object.keys(THEME) }, "*");
  }

  /** Nobody is told anything before they have spoken. */
  tell(kind, data) {
    if (this.origin) window.parent.postMessage({ parley: kind, ...data }, this.origin);
  }

  #heard({ source, origin, data }) {
    const isHost = source === window.parent && this.#origins.includes(origin);
    if (!isHost || data?.parley !== "page") return;
    this.origin = origin;
    this.#hear(data);
  }
}
