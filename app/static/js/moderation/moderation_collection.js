import { LiveCollection } from "../live/live_collection.js";

const TOPIC = "Moderation/queue"; // the server adds it to each moderator's stream
const PLACE = { commentable_type: "Moderation", commentable_id: "queue" };

/** @typedef {{ account: Parley.Account }} Fields */

/** Live objects of the moderators' topic. For all other viewers the collection is empty and reads nothing. */
export const ModerationCollection = /** @type {LiveWith<Fields>} */ (LiveCollection).extend({
  preinitialize(models, options) {
    this.account = options.account;
    const moderators = { ...options, topic: TOPIC, place: PLACE };
    LiveCollection.prototype.preinitialize.call(this, models, moderators);
  },

  isReadable() {
    return this.account.isModerator();
  },

  // If the reason is "viewer", the page reads the account first, and then all collections (live_page.js).
  handleReset({ topics, reason }) {
    if (reason !== "viewer") LiveCollection.prototype.handleReset.call(this, { topics });
  },
});
