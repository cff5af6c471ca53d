import { request } from "../core/sync.js";

/** One sign-in of this account: {device, address, created_at, seen_at, remembered, current}. */
export const Login = Backbone.Model.extend({
  urlRoot: "/api/logins",

  /** End this login. Rejects with a Problem. */
  end() {
    return request("delete", this);
  },
});
