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

const ALL = "read"; // the key of the record by which all are read, and what comes last in its address
const READING = "reading"; // its type
const RECOUNT_MS = 500;

/** @typedef {{ earlierUnread: number, recount: () => void }} Fields */

/**
 * Of what one is told: the newest, as far as they are loaded. How many are unread counts those before them, too. Beside
 * a collection's events: "unread" when that number, or which they are, may have changed, and "told" (notification) for
 * each that is new.
 *
 * A mark that the server refuses is given up: what is read is of no use to anybody.
 */
export const Notifications = /** @type {OwnWith<Fields>} */ (OwnCollection).extend({
  model: Notification,
  url: "/api/notifications/",
  plural: "notifications",
  changes: NOTIFICATION,

  initialize() {
    this.earlierUnread = 0;
    this.recount = _.debounce(() => this.topic && this.refetch(), RECOUNT_MS);
    this.listenTo(this.outbox, RECORD_CHANGED, this.heard);
    this.on(`update reset change:read ${SAVE_STATE_CHANGED} ${WINDOW_CHANGED}`, () =>
      this.trigger(UNREAD_CHANGED, this),
    );
  },

  /** How many of them all. */
  unread() {
    const earlier = (this.before ?? 0) > this.readUpto() ? this.earlierUnread : 0;
    return earlier + this.filter((notification) => !notification.isRead()).length;
  },

  /** All that there are now are read. One wish for all of them, kept and sent like any other. */
  readAll() {
    const upto = this.last()?.get("created_seq");
    if (this.unread() === 0 || !upto) return;
    const all = { key: ALL, type: READING, root: this.url, draft: {}, base: null };
    this.outbox.add({ ...all, act: "update", attrs: { upto } }).catch(() => {});
  },

  /** Until when they are read, in what is wanted and the server has not confirmed. */
  readUpto() {
    return this.outbox.find(READING, ALL)?.attrs.upto ?? 0;
  },

  heard(type, key, record) {
    const isOurs = record && (type === READING || this.concerns(record));
    if (isOurs && record.problem) this.outbox.discard(type, key);
    else if (type === READING) this.trigger(UNREAD_CHANGED, this);
  },

  // The server has read them all. The stream says that of each, a little after the record has gone.
  answered(type, state) {
    OwnCollection.prototype.answered.call(this, type, state);
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

  bury(state) {
    OwnCollection.prototype.bury.call(this, state);
    if (this.isEarlier(state)) this.recount();
  },

  // One of those that are only counted.
  isEarlier({ created_seq }) {
    return this.before !== null && created_seq < this.before;
  },

  replace(snapshot, ...options) {
    this.earlierUnread = snapshot.earlier_unread;
    OwnCollection.prototype.replace.call(this, snapshot, ...options);
  },

  extend(snapshot, ...window) {
    this.earlierUnread = snapshot.earlier_unread;
    OwnCollection.prototype.extend.call(this, snapshot, ...window);
  },
});
