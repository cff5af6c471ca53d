import { request } from "../core/sync.js";

/** @typedef {{ kind: string }} Fields */

/**
 * A link that the server sends by email. An address is enough to request it, and its token is needed to use it. Both
 * methods reject with a Problem. Option `kind`: "resets" | "confirmations" | "unlocks".
 */
export const MailedLink = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  initialize(_, { kind }) {
    this.kind = kind;
  },

  url() {
    return `/api/${this.kind}`;
  },

  /** Request the email. The response is the same whether or not the address has an account. */
  ask(email) {
    return request("create", this, { attrs: { email } });
  },

  /** `fields`: token; password, for a reset or a new account; username, for a new account. They are not stored. */
  use(fields) {
    return request("update", this, { attrs: fields });
  },
});
