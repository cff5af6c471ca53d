// The REST requests of models and collections: JSON, errors as `Problem`, edits with If-Match.

import { ajax } from "./ajax.js";
import { BASE } from "./base.js";
import { Problem } from "./problem.js";

const TIMEOUT_MS = 15_000;

const send = Backbone.sync;

// Models and stored records have paths without the prefix.
Backbone.ajax = (settings) => ajax({ ...settings, url: BASE + settings.url });

/** Backbone.sync with `options.ifMatch` (a seq), and `options.error` called with a Problem. */
Backbone.sync = (method, model, options = {}) => {
  // This changes the caller's object, as Backbone does: `parse` and the callbacks read `xhr` from it.
  const failed = options.error;
  options.timeout ??= TIMEOUT_MS;
  options.headers = { Accept: "application/json", ...options.headers };
  if (options.ifMatch !== undefined) options.headers["If-Match"] = `"${options.ifMatch}"`;
  options.error = (xhr, ...why) => failed?.call(options.context, new Problem(xhr), ...why);
  return send(method, model, options);
};

/** Send a DELETE while the page is closed. The browser completes the request, and nobody reads its response. */
export function deleteAtUnload(url, user) {
  const headers = { "Parley-User": user };
  fetch(BASE + url, { method: "DELETE", headers, keepalive: true }).catch(() => {});
}

/** Send a request. Resolves to the response; rejected with a Problem. */
export function request(method, model, options) {
  return new Promise((resolve, reject) => {
    model.sync(method, model, { ...options, success: resolve, error: reject });
  });
}
