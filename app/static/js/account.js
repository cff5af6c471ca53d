import { LOGIN_ENDED, USER_UPDATED } from "./events.js";
import { request } from "./sync.js";

const USERS = "/api/users";
const SESSION = "/api/session";

/** Who is looking at the page: the signed-in user, or (without an id) a guest. */
export const Account = Backbone.Model.extend({
  initialize(_, { bus }) {
    this.listenTo(bus, USER_UPDATED, this.merge);
    this.listenTo(bus, LOGIN_ENDED, this.becomeGuest);
  },

  isSignedIn() {
    return this.has("id");
  },

  /** `fields`: email, username, password. Rejected with a Problem. */
  signUp(fields) {
    return this.enter(USERS, fields);
  },

  /** `fields`: email, password, remember_me. Rejected with a Problem. */
  signIn(fields) {
    return this.enter(SESSION, fields);
  },

  // The fields are sent and forgotten: a password is never an attribute.
  async enter(url, fields) {
    this.set(await request("create", this, { url, attrs: fields }));
  },

  /** Rejected with a Problem; then we are still signed in. */
  async signOut() {
    await request("delete", this, { url: SESSION });
    this.becomeGuest();
  },

  becomeGuest() {
    this.clear();
  },

  merge(user) {
    if (user.id === this.id) this.set(user);
  },
});
