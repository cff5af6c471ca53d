import { backoff } from "../core/backoff.js";
import {
  ACCOUNT_LEFT,
  LOGIN_CHANGED,
  LOGIN_ENDED,
  LOGIN_RENEWED,
  STREAM_RESET,
  USER,
} from "../core/events.js";
import { request } from "../core/sync.js";

const USERS = "/api/users";
const SESSION = "/api/session";
const USERNAME = "/api/account/username";
const EMAIL = "/api/account/email";
const PASSWORD = "/api/account/password";
const DELETION = "/api/account/deletion";

const UNAUTHORIZED = 401;
const TRIES = 3;
const MODERATING = ["moderator", "owner"];

/** @typedef {{ underway: Promise<void> | null }} Fields */

/**
 * Who is looking at the page: the signed-in user, or (without an id) a guest. Beside Backbone's events:
 *
 *   left (reason, isHere)   nobody is signed in any more. `reason`: the server's, or null. `isHere`: somebody signed out on
 *                           this page
 *   renewed                 the same user goes on under another login, and so must the stream
 */
export const Account = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  initialize(_, { bus }) {
    this.underway = null;
    this.listenTo(bus, USER.updated, this.merge);
    this.listenTo(bus, STREAM_RESET, this.reread);
    this.listenTo(bus, LOGIN_ENDED, this.ended);
    this.listenTo(bus, LOGIN_CHANGED, this.recheck);
  },

  isSignedIn() {
    return this.has("id");
  },

  isModerator() {
    return MODERATING.includes(this.get("role"));
  },

  isOwner() {
    return this.get("role") === "owner";
  },

  /** In a "change": is it another now who looks, or somebody who may see other things than before? */
  seesOther() {
    return (
      this.hasChanged("id") || MODERATING.includes(this.previous("role")) !== this.isModerator()
    );
  },

  /** `fields`: email, username, password. Signs in unless the address is to be confirmed first. Rejected with a Problem. */
  signUp(fields) {
    return this.send("create", USERS, fields);
  },

  /** `fields`: email, password, remember_me. Rejected with a Problem. */
  signIn(fields) {
    return this.send("create", SESSION, fields);
  },

  /** `fields`: username, the name that others see. Rejected with a Problem. */
  changeUsername(fields) {
    return this.change("update", USERNAME, fields);
  },

  /** `fields`: email, current_password. The new address waits until it is confirmed. Rejected with a Problem. */
  changeEmail(fields) {
    return this.change("update", EMAIL, fields);
  },

  /** `fields`: current_password, password. Ends all other logins. Rejected with a Problem. */
  changePassword(fields) {
    return this.change("update", PASSWORD, fields);
  },

  /** `fields`: current_password, comments ("keep" | "erase"). Rejected with a Problem; then there still is an account. */
  async delete(fields) {
    await this.change("create", DELETION, fields);
    this.becomeGuest("deleted");
  },

  /** Rejected with a Problem; then we are still signed in. */
  async signOut() {
    await this.send("delete", SESSION);
    this.becomeGuest("signed_out", true);
  },

  // What needs a login tells also when there is none any more.
  async change(method, url, fields) {
    try {
      await this.send(method, url, fields);
    } catch (problem) {
      if (problem.status === UNAUTHORIZED) this.ended();
      throw problem;
    }
  },

  send(method, url, fields) {
    this.underway = this.exchange(method, url, fields);
    return this.underway;
  },

  // The fields are sent and forgotten: a password is never an attribute.
  async exchange(method, url, attrs) {
    const user = await request(method, this, { url, attrs });
    if (user?.id) this.set(user);
  },

  // This browser may have a newer login already: one that replaced the old, here or in another tab. An answer
  // that brings it may still be on its way, as the stream is often faster.
  async ended({ reason = null } = {}) {
    await Promise.allSettled([this.underway]);
    if (!this.isSignedIn()) return this.recheck();
    if (reason === "signed_out") return this.becomeGuest(reason);
    const { id } = this;
    const user = await (reason === "replaced" ? this.whoIsItSoon() : this.whoIsIt());
    if (this.id !== id) return; // who we are has been settled meanwhile
    if (user === null) this.becomeGuest(reason);
    else this.become(user);
  },

  // In another tab somebody has signed in, or out. Without an answer we stay who we are: nobody said that we are not.
  async recheck() {
    await Promise.allSettled([this.underway]);
    const { id } = this;
    const answer = await this.askAgain();
    if (answer === null || this.id !== id) return;
    if (answer.user) this.become(answer.user);
    else this.becomeGuest("signed_out");
  },

  // Without an answer it is nobody, which is the safe side.
  whoIsIt() {
    return this.ask().then(
      ({ user }) => user,
      () => null,
    );
  },

  // Null where there is no answer to be had.
  async askAgain() {
    for (let failures = 0; failures < TRIES; failures += 1) {
      const answer = await this.ask().catch(() => null);
      if (answer !== null) return answer;
      await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
    }
    return null;
  },

  ask() {
    return request("read", this, { url: SESSION });
  },

  // Somebody has signed in with this browser, in another tab: its new cookie arrives a little after the stream's word.
  async whoIsItSoon() {
    for (let failures = 0; failures < TRIES; failures += 1) {
      const user = await this.whoIsIt();
      if (user !== null) return user;
      await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
    }
    return this.whoIsIt();
  },

  become(user) {
    const same = user.id === this.id;
    if (!same) this.clear({ silent: true });
    this.set(user);
    if (same) this.trigger(LOGIN_RENEWED);
  },

  becomeGuest(reason, isHere = false) {
    if (!this.isSignedIn()) return;
    this.clear();
    this.trigger(ACCOUNT_LEFT, reason, isHere);
  },

  // The stream goes on without telling what has become of the account: it is read again.
  async reread({ topics }) {
    const { id } = this;
    if (!topics.includes(`User/${id}`)) return;
    const answer = await this.askAgain();
    if (answer?.user) this.merge(answer.user);
  },

  merge(user) {
    if (user.id === this.id) this.set(user);
  },
});
