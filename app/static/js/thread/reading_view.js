import { UNREAD_CHANGED } from "../core/events.js";
import { isAttended, viewport } from "../ui/viewport.js";
import { isReadable, ReadingTimes } from "./reading.js";
import { SectionView } from "./section_view.js";

const CHECK_MS = 500;
const DEBOUNCE_MS = 100; // many comments may arrive at once

/**
 * @typedef {{
 *   notifications: any,
 *   observer: IntersectionObserver,
 *   times: ReadingTimes,
 *   watched: Map<Element, any>,
 *   visible: Set<Element>,
 *   timer: number,
 *   watchSoon: () => void,
 * }} Fields
 */

/**
 * Marks the notification of a comment as read when the person has read the comment in its thread. It does so once, so
 * that a notification that the person marks as unread stays unread. Without IntersectionObserver it does nothing.
 */
export const ReadingView = /** @type {SectionWith<Fields>} */ (SectionView).extend({
  initialize({ notifications }) {
    if (!window.IntersectionObserver) return;
    this.notifications = notifications;
    this.times = new ReadingTimes();
    this.watched = new Map(); // an element of a comment → the unread notification of it
    this.visible = new Set(); // those of the elements that are at least partly visible
    this.timer = 0; // runs while there are any
    this.observer = new IntersectionObserver((entries) => this.see(entries));
    this.watchSoon = _.debounce(() => this.watch(), DEBOUNCE_MS);
    this.listenTo(this.notifications, UNREAD_CHANGED, this.watchSoon);
    this.listenTo(this.collection, "update", this.watchSoon);
    this.watch();
  },

  watch() {
    const unread = this.notifications.filter((notification) => !notification.isRead());
    const found = unread.map((one) => [this.elementOf(one), one]).filter(([element]) => element);
    const before = this.watched;
    this.watched = new Map(found);
    for (const element of before.keys()) if (!this.watched.has(element)) this.forget(element);
    for (const element of this.watched.keys()) this.observer.observe(element);
  },

  elementOf(notification) {
    return document.getElementById(`comment-${notification.get("comment_id")}`);
  },

  forget(element) {
    this.observer.unobserve(element);
    this.visible.delete(element);
    this.keepTime();
  },

  see(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && this.watched.has(target)) this.visible.add(target);
      else this.visible.delete(target);
    }
    this.keepTime();
  },

  keepTime() {
    if (this.visible.size > 0) this.timer ||= window.setInterval(() => this.check(), CHECK_MS);
    else this.stopTime();
  },

  stopTime() {
    clearInterval(this.timer);
    this.timer = 0;
    this.times.update([], performance.now());
  },

  check() {
    const inWindow = (element) => isReadable(element.getBoundingClientRect(), viewport());
    const readable = isAttended() ? [...this.visible].filter(inWindow) : [];
    const notifications = readable.map((element) => this.watched.get(element));
    for (const read of this.times.update(notifications, performance.now())) read.mark(true);
  },
});
