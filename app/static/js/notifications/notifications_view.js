import { NotificationView } from "./notification_view.js";

/** @typedef {{ most: number, apply: any, views: Map<string, any> }} Fields */

/**
 * A list of notifications, the newest first; no more than `most` of them. `apply` (change) changes the list, for who
 * has to hold the page still meanwhile.
 */
export const NotificationsView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  initialize({ most = Number.POSITIVE_INFINITY, apply = (change) => change() }) {
    this.most = most;
    this.apply = apply;
    this.views = new Map();
    this.listenTo(this.collection, "update reset sort", this.render);
    this.arrange();
  },

  render() {
    this.apply(() => this.arrange());
  },

  arrange() {
    const shown = this.collection.slice(0).reverse().slice(0, this.most);
    for (const [model, view] of this.views) {
      if (!shown.includes(model)) this.drop(view);
    }
    shown.forEach(this.place, this);
  },

  // Only one that moved is touched: moving an element takes the focus out of it.
  place(model, index) {
    if (!this.views.has(model)) this.views.set(model, new NotificationView({ model }));
    const { el } = this.views.get(model);
    const there = this.el.children[index] ?? null;
    if (there !== el) this.el.insertBefore(el, there);
  },

  // What had the focus is no more; keys go on from what it was in.
  drop(view) {
    const hadFocus = view.el.contains(document.activeElement);
    this.views.delete(view.model);
    view.remove();
    if (hadFocus)
      /** @type {HTMLElement} */ (this.el.closest("[tabindex]")).focus({ preventScroll: true });
  },
});
