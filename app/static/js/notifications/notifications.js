import {
  NOTIFICATION,
  NOTIFICATION_ARRIVED,
  RECORD_CHANGED,
  SAVE_STATE_CHANGED,
  UNREAD_CHANGED,
  WINDOW_CHANGED,
} from "../core/events.js";
import { OwnCollection } from "../live/own_collection.js";
import { Notification } from "./notification.js";

// The outbox's record that marks all notifications as read.
const READ_ALL = "read"; // its key, and the last part of its address
const READING = "reading"; // its type
const DEBOUNCE_MS = 500;

/** @typedef {{ earlierUnread: number, recount: () => void }} Fields */

/**
 * The account's newest notifications. The number of unread ones includes the earlier notifications that are not loaded.
 * In addition to a collection's events, it triggers UNREAD_CHANGED and NOTIFICATION_ARRIVED.
 *
 * If the server refuses a mark, the mark is discarded without a message.
 */
export const Notifications = /** @type {OwnWith<Fields>} */ (OwnCollection).extend({
  model: Notification,
  url: "/api/notifications/",
  plural: "notifications",
  changes: NOTIFICATION,

  initialize() {
    this.earlierUnread = 0;
    this.recount = _.debounce(() => this.refetchWhenIdle(), DEBOUNCE_MS);
    this.listenTo(this.outbox, RECORD_CHANGED, this.onRecord);
    this.on(`update reset change:read ${SAVE_STATE_CHANGED} ${WINDOW_CHANGED}`, () =>
      this.trigger(UNREAD_CHANGED, this),
    );
  },

  // The read of an account switch must end first. A read that another one supersedes never ends, and the page opens its
  // stream after it.
  async refetchWhenIdle() {
    await this.snapshots.whenIdle();
    if (this.topic) await this.refetch();
  },

  /** The number of unread notifications, loaded or not. */
  unread() {
    const earlier = (this.before ?? 0) > this.readUpto() ? this.earlierUnread : 0;
    return earlier + this.filter((notification) => !notification.isRead()).length;
  },

  /** Mark all current notifications as read, by one record of the outbox. */
  readAll() {
    const upto = this.last()?.get("created_seq");
    if (this.unread() === 0 || !upto) return;
    const all = { key: READ_ALL, type: READING, root: this.url, draft: {}, base: null };
    this.outbox.add({ ...all, act: "update", attrs: { upto } }).catch(() => {});
  },

  /** The created_seq up to which an unconfirmed `readAll` marks them as read; 0 without one. */
  readUpto() {
    return this.outbox.find(READING, READ_ALL)?.attrs.upto ?? 0;
  },

  onRecord(type, key, record) {
    const isOurs = record && (type === READING || this.isOurRecord(record));
    if (isOurs && record.problem) this.outbox.discard(type, key);
    else if (type === READING) this.trigger(UNREAD_CHANGED, this);
  },

  // The server has marked all as read. The stream brings the change of each one a little after the record is removed.
  applyServerState(type, state) {
    OwnCollection.prototype.applyServerState.call(this, type, state);
    if (type !== READING) return;
    const upto = this.readUpto();
    if ((this.before ?? 0) <= upto) this.earlierUnread = 0;
    for (const notification of this.models) {
      if (notification.get("created_seq") <= upto) notification.set({ read: true });
    }
  },

  merge(state) {
    const isKnown = this.has(state.id);
    const newest = this.last()?.get("created_seq") ?? 0;
    OwnCollection.prototype.merge.call(this, state);
    if (this.isEarlier(state)) this.recount();
    else if (!isKnown && this.has(state.id) && state.created_seq > newest)
      this.trigger(NOTIFICATION_ARRIVED, this.get(state.id));
  },

  applyDeletion(state) {
    OwnCollection.prototype.applyDeletion.call(this, state);
    if (this.isEarlier(state)) this.recount();
  },

  // Whether this notification is before the loaded ones, so that it is only counted.
  isEarlier({ created_seq }) {
    return this.before !== null && created_seq < this.before;
  },

  replace(snapshot, ...options) {
    this.earlierUnread = snapshot.earlier_unread;
    OwnCollection.prototype.replace.call(this, snapshot, ...options);
  },

  extendWindow(snapshot, ...window) {
    this.earlierUnread = snapshot.earlier_unread;
    OwnCollection.prototype.extendWindow.call(this, snapshot, ...window);
  },
});
