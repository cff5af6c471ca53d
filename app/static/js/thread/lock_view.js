import { MODERATION_DIALOG_WANTED } from "../core/events.js";

/** @typedef {{ account: Parley.Account, bus: Backbone.Events, model: Parley.Commentable }} Fields */

/** The moderators' button beside the thread's heading that locks or unlocks the conversation. */
export const LockView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { click: "ask" },

  /** `model`: the thread's commentable. */
  initialize({ bus, account }) {
    Object.assign(this, { bus, account });
    this.listenTo(this.model, "change:locked", this.render);
    this.listenTo(account, "change", this.render);
    this.render();
  },

  render() {
    this.el.hidden = !this.account.isModerator();
    this.el.textContent = this.model.get("locked") ? "Unlock" : "Lock";
  },

  ask() {
    const place = _.pick(this.model.attributes, "commentable_type", "commentable_id");
    this.bus.trigger(MODERATION_DIALOG_WANTED, this.model.get("locked") ? "unlock" : "lock", {
      place,
    });
  },
});
