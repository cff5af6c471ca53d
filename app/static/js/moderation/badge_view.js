import { WINDOW_CHANGED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** The link to the moderation page, with the number of open reports. Only moderators see it. */
export const BadgeView = ComponentView.extend({
  component: "badge",
  initialize() {
    this.listenTo(this.account, "change", this.render);
    this.listenTo(this.collection, `update reset ${WINDOW_CHANGED}`, this.render);
    this.render();
  },

  render() {
    const { length, before } = this.collection;
    const count = `${length}${before === null ? "" : "+"}`;
    this.el.hidden = !this.account.isModerator();
    this.el.dataset.count = length;
    this.el.ariaLabel = `Moderation, ${count} open report${count === "1" ? "" : "s"}`;
    this.part("count").textContent = count;
    this.part("count").hidden = length === 0;
  },
});
