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

const SESSION = "/api/session";

const UNAUTHORIZED = 401;
const MAX_ATTEMPTS = 3;
const MODERATOR_ROLES = ["moderator", "owner"];

/** @typedef {{ lastRequest: Promise<void> | null }} Fields */

/**
 * The viewer of this page: the signed-in user, or a guest (without an id). In addition to Backbone's events, it triggers
 *
 *   ACCOUNT_LEFT     (reason, isHere) when the user becomes a guest. `reason`: the server's, "deleted", or null.
 *                    `isHere`: the user signed out on this page
 *   LOGIN_RENEWED    when the same user has a new login, so that the stream must reconnect
 *
 * Each method that sends something to the server rejects with a Problem.
 */
export const Account = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  initialize(_, { bus }) {
    this.lastRequest = null;
    this.listenTo(bus, USER.updated, this.merge);
    this.listenTo(bus, STREAM_RESET, this.onReset);
    this.listenTo(bus, LOGIN_ENDED, this.onLoginEnded);
    this.listenTo(bus, LOGIN_CHANGED, this.onLoginChanged);
  },

  isSignedIn() {
    return this.has("id");
  },

  isModerator() {
    return MODERATOR_ROLES.includes(this.get("role"));
  },

  isOwner() {
    return this.get("role") === "owner";
  },

  /** In a "change": whether the viewer may now see other things, as another user or with another role. */
  hasOtherRights() {
    const wasModerator = MODERATOR_ROLES.includes(this.previous("role"));
    return this.hasChanged("id") || wasModerator !== this.isModerator();
  },

  // -- what the user does

  /** `fields`: email, username, password. Signs in, unless the address must be confirmed first. */
  signUp(fields) {
    return this.send("create", "/api/users", fields);
  },

  /** `fields`: email, password, remember_me. */
  signIn(fields) {
    return this.send("create", SESSION, fields);
  },

  /** `fields`: username, the display name. */
  changeUsername(fields) {
    return this.change("update", "/api/account/username", fields);
  },

  /** `fields`: email, current_password. The new address is used once it is confirmed. */
  changeEmail(fields) {
    return this.change("update", "/api/account/email", fields);
  },

  /** `fields`: current_password, password. Ends all other logins. */
  changePassword(fields) {
    return this.change("update", "/api/account/password", fields);
  },

  /** `fields`: current_password, comments ("keep" | "erase"). */
  async delete(fields) {
    await this.change("create", "/api/account/deletion", fields);
    this.becomeGuest("deleted");
  },

  async signOut() {
    await this.send("delete", SESSION);
    this.becomeGuest("signed_out", true);
  },

  /**
   * Send a request that names this account, so that the server refuses it if another account has signed in. Resolves to
   * the response.
   */
  request(method, url, attrs = {}) {
    return request(method, this, { url, attrs, headers: { "Parley-User": this.id ?? "" } });
  },

  // A 401 means that this login has ended.
  async change(method, url, fields) {
    try {
      await this.send(method, url, fields);
    } catch (problem) {
      if (problem.status === UNAUTHORIZED) this.onLoginEnded();
      throw problem;
    }
  },

  /** Send these fields. If the response is a user, this is the user from now on. */
  send(method, url, fields) {
    this.lastRequest = this.exchange(method, url, fields);
    return this.lastRequest;
  },

  // The fields are never attributes of this model, because they contain a password.
  async exchange(method, url, attrs) {
    const user = await request(method, this, { url, attrs });
    if (user?.id) this.set(user);
  },

  // -- what happens to the login

  // The browser may already have a newer login that replaced this one, from this tab or another. The event often
  // arrives before the response with that login, so wait for the response first.
  async onLoginEnded({ reason = null } = {}) {
    await Promise.allSettled([this.lastRequest]);
    if (!this.isSignedIn()) return this.onLoginChanged();
    if (reason === "signed_out") return this.becomeGuest(reason);
    const { id } = this;
    const user = await (reason === "replaced" ? this.readNewUser() : this.readUser());
    if (this.id !== id) return; // changed in the meantime
    if (user === null) this.becomeGuest(reason);
    else this.become(user);
  },

  // Somebody signed in or out in another tab. Without a response, the account stays as it is.
  async onLoginChanged() {
    await Promise.allSettled([this.lastRequest]);
    const { id } = this;
    const session = await this.readSession();
    if (session === null || this.id !== id) return;
    if (session.user) this.become(session.user);
    else this.becomeGuest("signed_out");
  },

  // The stream cannot deliver what has changed about the account, so read it again.
  async onReset({ topics }) {
    if (!topics.includes(`User/${this.id}`)) return;
    const session = await this.readSession();
    if (session?.user) this.merge(session.user);
  },

  // {user}, or null if the server does not respond.
  readSession() {
    return untilFound(() => this.requestSession().catch(() => null));
  },

  // The user of this browser's cookie, or null for a guest. No response means a guest, which is the safe assumption.
  readUser() {
    return this.requestSession().then(
      ({ user }) => user,
      () => null,
    );
  },

  // The login was replaced in another tab. The event may arrive a little before the browser has the new cookie.
  async readNewUser() {
    return (await untilFound(() => this.readUser())) ?? this.readUser();
  },

  requestSession() {
    return request("read", this, { url: SESSION });
  },

  become(user) {
    const isSame = user.id === this.id;
    if (!isSame) this.clear({ silent: true });
    this.set(user);
    if (isSame) this.trigger(LOGIN_RENEWED);
  },

  becomeGuest(reason, isHere = false) {
    if (!this.isSignedIn()) return;
    this.clear();
    this.trigger(ACCOUNT_LEFT, reason, isHere);
  },

  merge(user) {
    if (user.id === this.id) this.set(user);
  },
});

// Call `read` until its result is not null, with back-off. After MAX_ATTEMPTS the result is null.
async function untilFound(read) {
  for (let failures = 0; failures < MAX_ATTEMPTS; failures += 1) {
    const found = await read();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
  }
  return null;
}
