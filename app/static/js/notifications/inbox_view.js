import { UNREAD_CHANGED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { NotificationsView } from "./notifications_view.js";

/** @typedef {{ list: any }} Fields */

/** The page with all notifications. The server renders `el` for a user and for a guest; it asks a guest to sign in. */
export const InboxView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "inbox",
  events: {
    "click .inbox__read-all": "readAll",
    "click .inbox__earlier": "loadEarlier",
  },

  initialize() {
    this.list = this.el.querySelector(".inbox__list");
    new NotificationsView({
      el: this.list,
      collection: this.collection,
      apply: (change) => keepScrollPosition(this.list, change),
    });
    this.listenTo(this.collection, UNREAD_CHANGED, this.render);
    this.listenTo(this.account, "change:id", this.render);
    this.render();
  },

  render() {
    this.showForAccount();
    this.part("read-all").disabled = this.collection.unread() === 0;
    this.part("empty").hidden = this.collection.length > 0;
    this.part("earlier").hidden = this.collection.before === null;
    this.part("earlier").disabled = false;
  },

  readAll() {
    this.el.focus({ preventScroll: true }); // because the button will be disabled
    this.collection.readAll();
  },

  loadEarlier({ delegateTarget: button }) {
    this.loadPageBefore(this.collection, button, "Earlier notifications loaded.");
  },
});
