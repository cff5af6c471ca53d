// How models speak REST, in one place: JSON up and down, errors as `Problem`, edits with If-Match.

import { ajax } from "./ajax.js";
import { BASE } from "./base.js";
import { Problem } from "./problem.js";

const TIMEOUT_MS = 15_000;

const send = Backbone.sync;

// Models know their paths as they are at the root of a host, and so does what waits in the outbox.
Backbone.ajax = (settings) => ajax({ ...settings, url: BASE + settings.url });

/** Backbone.sync with `options.ifMatch` (a seq), and `options.error` called with a Problem. */
Backbone.sync = (method, model, options = {}) => {
  // The caller's own object, as Backbone does: `parse` and the callbacks look for `xhr` in it.
  const failed = options.error;
  options.timeout ??= TIMEOUT_MS;
  options.headers = { Accept: "application/json", ...options.headers };
  if (options.ifMatch !== undefined) options.headers["If-Match"] = `"${options.ifMatch}"`;
  options.error = (xhr, ...why) => failed?.call(options.context, new Problem(xhr), ...why);
  return send(method, model, options);
};

/** Delete that as the page goes: it is asked for even when the page is no more, and the answer is nobody's. */
export function deleteInParting(url, user) {
  const headers = { "Parley-User": user };
  fetch(BASE + url, { method: "DELETE", headers, keepalive: true }).catch(() => {});
}

/** A promise of the answer; it is rejected with a Problem. */
export function request(method, model, options) {
  return new Promise((resolve, reject) => {
    model.sync(method, model, { ...options, success: resolve, error: reject });
  });
}
