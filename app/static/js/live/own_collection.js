import { WINDOW_CHANGED } from "../core/events.js";
import { LiveCollection } from "./live_collection.js";

/**
 * The live objects of whoever looks, which lie on their own topic: in whatever place, and on every page. Another
 * person has others, and a guest has none. To be extended like a LiveCollection.
 */
export const OwnCollection = LiveCollection.extend({
  /** Somebody else looks (an account's id, or null): what was here, and what is being read, is not theirs. */
  belongTo(user) {
    this.topic = user && `User/${user}`;
    this.headers = { "Parley-User": user ?? "" }; // in another tab somebody else may sign in meanwhile
    this.before = null;
    this.snapshots.forget();
    this.tombstones.clear();
    this.partials.clear();
    this.reset();
    this.trigger(WINDOW_CHANGED, this);
  },

  isOurs() {
    return this.topic !== null;
  },
});
