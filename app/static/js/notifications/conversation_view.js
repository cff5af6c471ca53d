import { ComponentView } from "../ui/component_view.js";
import { ViewList } from "../ui/view_list.js";
import { NotificationView } from "./notification_view.js";

/** @typedef {{ list: ViewList }} Fields */

/** The notifications from one conversation, below its title. `model` is its topic. Option: `takeFocus`, as in ViewList. */
export const ConversationView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "conversation",

  initialize({ takeFocus }) {
    const viewOf = (model) => new NotificationView({ model });
    this.list = new ViewList(this.part("list"), viewOf, takeFocus);
  },

  /** Show these notifications, which are the newest first. The title may change: it is that of the newest one. */
  show(notifications) {
    const title = notifications[0].where();
    this.part("title").textContent = title;
    this.part("list").setAttribute("aria-label", title);
    this.list.show(notifications);
  },

  remove() {
    this.list.show([]);
    return ComponentView.prototype.remove.call(this);
  },
});
