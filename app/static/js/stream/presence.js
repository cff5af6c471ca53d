import { COMMENT, PRESENCE, STREAM_STATE } from "../core/events.js";
import { request } from "../core/sync.js";

const TYPING = "/api/typing";
const TYPING_MS = 3_000; // between two words of it; the server forgets after six seconds
const LIVE = ["live", "catching-up", "polling"];
const AWAY = ["offline", "idle", "signed-out"]; // who is still there we do not know then

const NOBODY = { people: [], count: 0, guests: 0, typing: [], typing_count: 0 };

/**
 * @typedef {{
 *   topic: string,
 *   place: Parley.Place,
 *   account: Parley.Account,
 *   state: Parley.StreamState,
 *   saidAt: number,
 * }} Fields
 */

/**
 * The people at a topic and the people typing there, from the latest presence event. Nothing of it is stored.
 *
 *   people         some of the signed-in people, {id, username}; count: the number of all of them
 *   guests         how many are not
 *   typing         some of the people typing, {id, username}; typing_count: the number of all of them
 */
export const Presence = /** @type {ModelWith<Fields>} */ (Backbone.Model).extend({
  defaults: NOBODY,

  initialize(_, { bus, topic, place, account }) {
    this.topic = topic;
    this.place = place;
    this.account = account;
    this.state = "idle";
    this.saidAt = Number.NEGATIVE_INFINITY;
    this.listenTo(bus, PRESENCE, this.hear);
    this.listenTo(bus, COMMENT.created, this.written);
    this.listenTo(bus, STREAM_STATE, this.turn);
  },

  hear({ topic, ...said }) {
    if (topic === this.topic) this.set(said);
  },

  // The comment is here, and what was typed is in it. The server says so, too, a little later.
  written({ commentable_type, commentable_id, user_id }) {
    if (`${commentable_type}/${commentable_id}` !== this.topic) return;
    const { typing, typing_count } = this.attributes;
    const others = typing.filter(({ id }) => id !== user_id);
    if (others.length < typing.length) this.set({ typing: others, typing_count: typing_count - 1 });
  },

  turn(state) {
    this.state = state;
    if (AWAY.includes(state)) this.set(NOBODY);
  },

  /** Everybody but oneself: {people, count, guests}. */
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

  /** We type. It is said now and then, and only while somebody is there to hear of it. */
  type() {
    const { count, guests } = this.others();
    const isHeard = count + guests > 0 && LIVE.includes(this.state);
    if (!isHeard || !this.account.isSignedIn()) return;
    if (performance.now() - this.saidAt < TYPING_MS) return;
    this.saidAt = performance.now();
    const headers = { "Parley-User": this.account.id };
    request("create", this, { url: TYPING, attrs: this.place, headers }).catch(ignore);
  },

  /** What was typed is on its way; whoever types on says so anew. */
  rest() {
    this.saidAt = Number.NEGATIVE_INFINITY;
  },
});

const ignore = () => {}; // it is worth no word to anybody
