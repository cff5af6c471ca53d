import { ANNOUNCEMENT, NOTIFICATION_ARRIVED, UNREAD_CHANGED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { isEscape } from "../ui/keys.js";
import { NotificationsView } from "./notifications_view.js";

const MAX_SHOWN = 10;
const MOST_COUNTED = 99;
const PAUSE_MS = 1_000; // several that come together are told together

/** @typedef {{ bus: Backbone.Events, news: any, panel: HTMLElement, announceSoon: () => void }} Fields */

/** The bell in the header: how many notifications are unread, and on a press the newest, in a panel below it. */
export const BellView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "bell",
  events: {
    "click .bell__button": "toggle",
    "click .bell__read-all": "readAll",
    "click .notification__link": "close",
    keydown: "key",
    focusout: "left",
  },

  initialize({ bus, account }) {
    this.bus = bus;
    this.news = [];
    this.panel = this.el.querySelector(".bell__panel");
    new NotificationsView({
      el: this.el.querySelector(".bell__list"),
      collection: this.collection,
      max: MAX_SHOWN,
    });
    this.announceSoon = _.debounce(() => this.announce(), PAUSE_MS);
    this.listenTo(this.collection, UNREAD_CHANGED, this.render);
    this.listenTo(this.collection, NOTIFICATION_ARRIVED, this.hear);
    this.listenTo(account, "change:id", this.close);
    document.addEventListener(
      "pointerdown",
      ({ target }) => !this.el.contains(/** @type {Node} */ (target)) && this.close(),
    );
    this.render();
  },

  render() {
    const unread = this.collection.unread();
    const badge = unread > MOST_COUNTED ? `${MOST_COUNTED}+` : unread;
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

  show(shown) {
    this.panel.hidden = !shown;
    this.part("button").setAttribute("aria-expanded", shown);
  },

  key(event) {
    if (!isEscape(event) || !this.isOpen()) return;
    event.preventDefault();
    this.close();
  },

  // Keys have gone on to what is behind it; not so where the window alone has lost the focus.
  left({ relatedTarget: next }) {
    if (next && !this.el.contains(next)) this.show(false);
  },

  readAll() {
    this.panel.focus({ preventScroll: true });
    this.collection.readAll();
  },

  // -- who cannot see it is told

  hear(notification) {
    this.news.push(notification);
    this.announceSoon();
  },

  announce() {
    const news = this.news.filter((one) => one.collection && !one.isRead());
    this.news = [];
    if (news.length === 0) return;
    const words = news.length === 1 ? `${news[0].words()}.` : `${news.length} new notifications.`;
    this.bus.trigger(ANNOUNCEMENT, words);
  },
});
