import { COMMENT, PRESENCE, STREAM_STATE } from "../core/events.js";

const TYPING = "/api/typing";
const TYPING_INTERVAL_MS = 3_000; // between two requests; the server forgets a typing person after six seconds
const CONNECTED = ["live", "catching-up", "polling"];
const UNKNOWN = ["offline", "idle", "signed-out"]; // states without presence events

const NOBODY = { people: [], count: 0, guests: 0, typing: [], typing_count: 0 };

/**
 * @typedef {{
 *   topic: string,
 *   place: Parley.Place,
 *   account: Parley.Account,
 *   state: Parley.StreamState,
 *   reportedAt: number,
 * }} Fields
 */

/**
 * The people at a topic and the people typing there, from the latest presence event. Nothing of it is stored.
 *
 *   people         some of the signed-in people, {id, username}; count: the number of all of them
 *   guests         the number of guests
 *   typing         some of the people typing, {id, username}; typing_count: the number of all of them
 */
export const Presence = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  defaults: NOBODY,

  initialize(_, { bus, topic, place, account }) {
    this.topic = topic;
    this.place = place;
    this.account = account;
    this.state = "idle";
    this.endTyping();
    this.listenTo(bus, PRESENCE, this.update);
    this.listenTo(bus, COMMENT.created, this.removeTyping);
    this.listenTo(bus, STREAM_STATE, this.setState);
  },

  update({ topic, ...presence }) {
    if (topic === this.topic) this.set(presence);
  },

  // A new comment contains what its author was typing. The server's presence event comes a little later.
  removeTyping({ commentable_type, commentable_id, user_id }) {
    if (`${commentable_type}/${commentable_id}` !== this.topic) return;
    const { typing, typing_count } = this.attributes;
    const others = typing.filter(({ id }) => id !== user_id);
    if (others.length < typing.length) this.set({ typing: others, typing_count: typing_count - 1 });
  },

  setState(state) {
    this.state = state;
    if (UNKNOWN.includes(state)) this.set(NOBODY);
  },

  /** The people at the topic, without this viewer: {people, count, guests}. */
  others() {
    const { people, count, guests } = this.attributes;
    const me = this.account.isSignedIn();
    return {
      people: people.filter(({ id }) => id !== this.account.id),
      count: Math.max(0, me ? count - 1 : count),
      guests: Math.max(0, me ? guests : guests - 1),
    };
  },

  /** The people typing, without this account: {people, count}. */
  othersTyping() {
    const { typing, typing_count } = this.attributes;
    const people = typing.filter(({ id }) => id !== this.account.id);
    return { people, count: typing_count - (typing.length - people.length) };
  },

  /** This person types. The server gets a throttled request, and only while other people are at the topic. */
  reportTyping() {
    const { count, guests } = this.others();
    const isUseful = count + guests > 0 && CONNECTED.includes(this.state);
    if (!isUseful || !this.account.isSignedIn()) return;
    if (performance.now() - this.reportedAt < TYPING_INTERVAL_MS) return;
    this.reportedAt = performance.now();
    this.account.request("create", TYPING, this.place).catch(ignore);
  },

  /** The text was posted. If the person types again, the next request is not throttled. */
  endTyping() {
    this.reportedAt = Number.NEGATIVE_INFINITY;
  },
});

const ignore = () => {}; // a lost request has no consequence
