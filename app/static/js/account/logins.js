import { request } from "../core/sync.js";

/**
 * The account's logins: this browser's first, then the others, the most recently seen first. Each has the attributes
 * device, address, created_at, seen_at, remembered and current. The list is read from the server again after each
 * change. `signIns`: {count, last_at, last_address}, about the sign-in before this one.
 *
 * `refetch`, `end` and `endOthers` reject with a Problem.
 */
export const Logins = Backbone.Collection.extend({
  url: "/api/logins",
  signIns: null,
  lastRead: 0,

  others() {
    return this.reject((login) => login.get("current"));
  },

  /** Of several reads at a time, the one that began last counts. */
  async refetch() {
    this.lastRead += 1;
    const read = this.lastRead;
    const { logins, sign_ins } = await request("read", this);
    if (read !== this.lastRead) return;
    this.signIns = sign_ins;
    this.set(logins);
  },

  async end(login) {
    await request("delete", login);
    await this.refetch();
  },

  async endOthers() {
    await request("delete", this);
    await this.refetch();
  },

  /** Another account uses the page: remove all logins, and ignore a read that is under way. */
  forget() {
    this.lastRead += 1;
    this.signIns = null;
    this.reset();
  },
});
