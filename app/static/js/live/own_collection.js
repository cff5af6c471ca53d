import { WINDOW_CHANGED } from "../core/events.js";
import { LiveCollection } from "./live_collection.js";

/**
 * The live objects of the signed-in account, on the account's own topic. They are on every page, whatever its
 * commentable. For a guest the collection is empty. Subclasses define the same as those of LiveCollection.
 */
export const OwnCollection = LiveCollection.extend({
  /** Another account (an id, or null) uses the page. Remove all objects, and cancel the current read. */
  setUser(user) {
    this.topic = user && `User/${user}`;
    this.headers = { "Parley-User": user ?? "" }; // the server refuses if another account has signed in, in another tab
    this.before = null;
    this.snapshots.cancel();
    this.tombstones.clear();
    this.partials.clear();
    this.reset();
    this.trigger(WINDOW_CHANGED, this);
  },

  isReadable() {
    return this.topic !== null;
  },

  isOurs() {
    return this.topic !== null;
  },
});
