// The links that the server sends by email. `kind`: "resets" | "confirmations" | "unlocks". Both functions return a promise
// that rejects with a Problem.

import { request } from "../core/sync.js";

/** Request the email. The response is the same whether or not the address has an account. */
export const requestLink = (kind, email) => send("create", kind, { email });

/** `fields`: token; password, for a reset or a new account; username, for a new account. They are not stored. */
export const useLink = (kind, fields) => send("update", kind, fields);

const send = (method, kind, attrs) =>
  request(method, new Backbone.Model(), { url: `/api/${kind}`, attrs });
