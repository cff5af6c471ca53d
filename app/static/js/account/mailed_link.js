import { request } from "../core/sync.js";

/** @typedef {{ kind: string }} Fields */

/**
 * A link that the server sends by mail: asked for with an address, used with the token in it.
 * Option `kind`: "resets" | "confirmations" | "unlocks".
 */
export const MailedLink = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  initialize(_, { kind }) {
    this.kind = kind;
  },

  url() {
    return `/api/${this.kind}`;
  },

  /** Have one sent. The answer is the same whether or not there is such an account. Rejected with a Problem. */
  ask(email) {
    return request("create", this, { attrs: { email } });
  },

  /** `fields`: token; password, for a reset or a new account; username, for a new account. Not kept. Rejected with a Problem. */
  use(fields) {
    return request("update", this, { attrs: fields });
  },
});
