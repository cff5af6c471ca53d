import { request } from "../core/sync.js";
import { Login } from "./login.js";

/**
 * Where this account is signed in: this browser first, then those seen last. It is as the server last told, and
 * read again after every act. `signIns`: {count, last_at, last_address}, of the sign-in before this one.
 */
export const Logins = Backbone.Collection.extend({
  model: Login,
  url: "/api/logins",
  signIns: null,
  turn: 0,

  others() {
    return this.reject((login) => login.get("current"));
  },

  /** Rejected with a Problem. Of several reads the one that began last counts. */
  async refetch() {
    this.turn += 1;
    const mine = this.turn;
    const { logins, sign_ins } = await request("read", this);
    if (mine !== this.turn) return;
    this.signIns = sign_ins;
    this.set(logins);
  },

  /** Rejected with a Problem. */
  async end(login) {
    await login.end();
    await this.refetch();
  },

  /** End all but this browser's. Rejected with a Problem. */
  async endOthers() {
    await request("delete", this);
    await this.refetch();
  },

  /** Nobody's: what is being read is not for who looks now. */
  forget() {
    this.turn += 1;
    this.signIns = null;
    this.reset();
  },
});
