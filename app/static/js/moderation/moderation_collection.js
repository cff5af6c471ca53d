import { LiveCollection } from "../live/live_collection.js";

const EMPTY = { cursor: null, before: null };

/** @typedef {{ account: Parley.Account }} Fields */

/**
 * Live objects of the moderators' topic, which the server adds to each moderator's stream. For all other viewers the
 * collection is empty and reads nothing. Options: those of a LiveCollection, and `account`.
 */
export const ModerationCollection = /** @type {LiveWith<Fields>} */ (LiveCollection).extend({
  /**
   * @param {unknown} models
   * @param {Parley.CollectionOptions & { account: Parley.Account }} options
   */
  preinitialize(models, { account, ...options }) {
    this.account = account;
    LiveCollection.prototype.preinitialize.call(this, models, options);
  },

  refetch() {
    if (this.account.isModerator()) return LiveCollection.prototype.refetch.call(this);
    const snapshot = { ...EMPTY, [this.plural]: [] };
    this.replace(snapshot);
    return Promise.resolve(snapshot);
  },

  // If the reason is "viewer", the page reads the account first, and then all collections (switchAccount in app.js).
  handleReset({ topics, reason }) {
    if (reason !== "viewer") LiveCollection.prototype.handleReset.call(this, { topics });
  },
});
