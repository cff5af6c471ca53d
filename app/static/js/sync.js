// How models speak REST, in one place: JSON up and down, errors as `Problem`, edits with If-Match.

import { Problem } from "./problem.js";

const TIMEOUT_MS = 15_000;

const send = Backbone.sync;

/** Backbone.sync with `options.ifMatch` (a seq), and `options.error` called with a Problem. */
Backbone.sync = (method, model, options) => {
  const failed = options.error;
  const headers = { Accept: "application/json", ...options.headers };
  if (options.ifMatch !== undefined) headers["If-Match"] = `"${options.ifMatch}"`;
  return send(method, model, {
    timeout: TIMEOUT_MS,
    ...options,
    headers,
    error: (xhr) => failed?.(new Problem(xhr)),
  });
};

/** A promise of the answer; it is rejected with a Problem. */
export function request(method, model, options) {
  return new Promise((resolve, reject) => {
    model.sync(method, model, { ...options, success: resolve, error: reject });
  });
}
