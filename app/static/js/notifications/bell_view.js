import { NOTIFICATION_ARRIVED, UNREAD_CHANGED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { isEscape } from "../ui/keys.js";
import { NotificationsView } from "./notifications_view.js";

const MAX_SHOWN = 10;
const MAX_COUNTED = 99;
const DEBOUNCE_MS = 1_000; // notifications that arrive together are announced together

/** @typedef {{ arrived: any[], panel: HTMLElement, announceSoon: () => void }} Fields */

/** The bell in the header with the number of unread notifications. It opens a panel with the newest ones. */
export const BellView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "bell",
  events: {
    "click .bell__button": "toggle",
    "click .bell__read-all": "readAll",
    "click .notification__link": "close",
    keydown: "onKey",
    focusout: "onFocusOut",
  },

  initialize() {
    this.arrived = [];
    this.panel = this.el.querySelector(".bell__panel");
    new NotificationsView({
      el: this.el.querySelector(".bell__list"),
      collection: this.collection,
      max: MAX_SHOWN,
    });
    this.announceSoon = _.debounce(() => this.announceArrived(), DEBOUNCE_MS);
    this.listenTo(this.collection, UNREAD_CHANGED, this.render);
    this.listenTo(this.collection, NOTIFICATION_ARRIVED, this.onArrived);
    this.listenTo(this.account, "change:id", this.close);
    document.addEventListener(
      "pointerdown",
      ({ target }) => !this.el.contains(/** @type {Node} */ (target)) && this.close(),
    );
    this.render();
  },

  render() {
    const unread = this.collection.unread();
    const badge = unread > MAX_COUNTED ? `${MAX_COUNTED}+` : unread;
    const label = unread > 0 ? `Notifications, ${unread} unread` : "Notifications";
    this.part("button").setAttribute("aria-label", label);
    this.part("badge").textContent = unread > 0 ? badge : "";
    this.part("badge").hidden = unread === 0;
    this.part("read-all").hidden = unread === 0;
    this.part("empty").hidden = this.collection.length > 0;
  },

  // -- the panel

  isOpen() {
    return !this.panel.hidden;
  },

  toggle() {
    if (this.isOpen()) this.close();
    else this.open();
  },

  open() {
    this.show(true);
    this.panel.focus({ preventScroll: true });
  },

  close() {
    if (!this.isOpen()) return;
    const hadFocus = this.panel.contains(document.activeElement);
    this.show(false);
    if (hadFocus) this.part("button").focus({ preventScroll: true });
  },

  show(isShown) {
    this.panel.hidden = !isShown;
    this.part("button").setAttribute("aria-expanded", isShown);
  },

  onKey(event) {
    if (!isEscape(event) || !this.isOpen()) return;
    event.preventDefault();
    this.close();
  },

  // The focus moved to an element outside. `next` is null if the window lost the focus; then the panel stays open.
  onFocusOut({ relatedTarget: next }) {
    if (next && !this.el.contains(next)) this.show(false);
  },

  readAll() {
    this.panel.focus({ preventScroll: true });
    this.collection.readAll();
  },

  // -- announcements for screen readers

  onArrived(notification) {
    this.arrived.push(notification);
    this.announceSoon();
  },

  announceArrived() {
    const unread = this.arrived.filter((one) => one.collection && !one.isRead());
    this.arrived = [];
    if (unread.length === 0) return;
    const text = unread.length === 1 ? unread[0].summary() : `${unread.length} new notifications`;
    this.announce(`${text}.`);
  },
});
