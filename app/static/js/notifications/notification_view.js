import { UNREAD_CHANGED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

const RIGHT_BUTTON = 2; // opens the context menu, but not the page

/** One notification in a list. Following its link marks it as read. */
export const NotificationView = ComponentView.extend({
  component: "notification",
  events: {
    "click .notification__link": "follow",
    "auxclick .notification__link": "follow",
    "click .notification__toggle": "toggle",
  },

  initialize() {
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.model.collection, UNREAD_CHANGED, this.render);
    this.render();
  },

  render() {
    const isRead = this.model.isRead();
    this.el.dataset.notificationId = this.model.id;
    this.el.dataset.state = isRead ? "read" : "unread";
    this.part("link").href = this.model.href();
    this.part("words").textContent = this.model.summary();
    this.part("excerpt").textContent = this.model.get("excerpt");
    this.part("time").setAttribute("datetime", this.model.get("created_at"));
    this.part("unread").hidden = isRead;
    this.part("toggle").textContent = isRead ? "Mark as unread" : "Mark as read";
  },

  follow({ button }) {
    if (button !== RIGHT_BUTTON) this.model.mark(true);
  },

  toggle() {
    this.model.mark(!this.model.isRead());
  },
});
