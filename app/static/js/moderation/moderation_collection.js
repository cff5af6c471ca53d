import { LiveCollection } from "../live/live_collection.js";

const NOTHING = { cursor: null, before: null };

/** @typedef {{ account: Parley.Account }} Fields */

/**
 * Live objects of the moderators' topic, which the server adds to a moderator's stream by itself. For all others there is
 * nothing in it, and nothing to be read. Options: as a LiveCollection's, and `account`.
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
    const snapshot = { ...NOTHING, [this.plural]: [] };
    this.replace(snapshot);
    return Promise.resolve(snapshot);
  },

  // When the viewer is another, the account is read first, and then all that they may see.
  restart({ topics, reason }) {
    if (reason !== "viewer") LiveCollection.prototype.restart.call(this, { topics });
  },
});
