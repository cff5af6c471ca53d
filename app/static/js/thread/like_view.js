import { AUTH_DIALOG_WANTED, likeChanged } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { counted } from "../ui/counted.js";

/** @typedef {{ el: HTMLButtonElement, model: Parley.Comment }} Fields */

/**
 * The like button of a comment, with the number of likes. If a guest clicks it, they sign in first, and then like it.
 */
export const LikeView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  events: { click: "toggle" },

  initialize() {
    this.listenTo(this.likes, likeChanged(this.model.id), this.render);
    this.listenTo(this.model, "change:likes_count change:created_seq", this.render);
    this.render();
  },

  render() {
    const { model, likes } = this;
    const count = likes.count(model) || 0; // NaN until the number is known
    this.el.disabled = model.isNew(); // the server does not have the comment yet
    this.el.setAttribute("aria-pressed", `${likes.isWanted(model)}`);
    this.el.setAttribute("aria-label", labelOf(count));
    this.el.querySelector(".comment__likes").textContent = `${count || ""}`;
  },

  toggle() {
    const { model, likes } = this;
    if (this.account.isSignedIn()) return likes.toggle(model);
    const act = () => likes.like(model);
    this.bus.trigger(AUTH_DIALOG_WANTED, "signin", { to: "like this comment", act });
  },
});

const labelOf = (count) => (count === 0 ? "Like" : `Like, ${counted(count, "like")}`);
