import { MODERATION_DIALOG_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** @typedef {{ model: Parley.Commentable }} Fields */

/** The moderators' button beside the thread's heading that locks or unlocks the conversation. */
export const LockView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  events: { click: "ask" },

  initialize() {
    this.listenTo(this.model, "change:locked", this.render);
    this.listenTo(this.account, "change", this.render);
    this.render();
  },

  render() {
    this.el.hidden = !this.account.isModerator();
    this.el.textContent = this.model.get("locked") ? "Unlock" : "Lock";
  },

  ask() {
    const { commentable_type: type, commentable_id: id, locked } = this.model.attributes;
    const place = `${type}/${encodeURIComponent(id)}`;
    this.bus.trigger(MODERATION_DIALOG_WANTED, locked ? "unlock" : "lock", { place });
  },
});
