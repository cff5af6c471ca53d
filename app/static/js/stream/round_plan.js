// Chooses the tabs and topics that fit into one stream, so that the length of the stream's address is bounded however much
// the pages show. It is a pure function.
//
// Visible tabs come first, then those that were opened last. Their threads and accounts come before any numbers of comments
// (`counts`), which are polled if they do not fit (counts_poll.js).

import { cursorParameter, lineLength, streamAddress, topicParameter } from "./stream_address.js";

export const MAX_LINE = 6_000; // characters of a request line; nginx takes 8 KB, and a proxy may add a prefix
// The server takes a hundred of each, and adds an account's own topic and the moderators'.
const MAX_TABS = 90;
const MAX_TOPICS = 98;
const MAX_CURSORS = 100;
const CURSOR_LENGTH = 40; // of the epoch in a cursor, with the parameter's name
const CURSOR_LENGTH_OF_TOPIC = 24; // in a cursor of several: a key of 11 characters, and seqs up to 10 digits

/** @typedef {Pick<Parley.Member, "topics" | "cursors" | "counts" | "isVisible">} Wish */

/**
 * Plans a round for `user` without the `refused` topics. `members` are in the order in which they joined. Returns the
 * members of the round, and what to ask the server for. The tab that comes first is always in it.
 * @template {Wish} M
 * @param {M[]} members
 * @param {{ user: string | null, maxLine?: number, refused?: Set<string> }} options
 */
export function planRound(members, { user, maxLine = MAX_LINE, refused = new Set() }) {
  const plan = new Plan(user, maxLine, refused);
  const inOrder = _.sortBy([...members].reverse(), ({ isVisible }) => (isVisible ? 0 : 1));
  const ours = inOrder.slice(0, MAX_TABS).filter((one, index) => plan.add(one, index === 0));
  for (const { counts } of ours) if (counts) plan.addSome(counts);
  return { members: ours, topics: [...plan.topics], cursors: [...plan.cursors] };
}

class Plan {
  /** @type {Set<string>} */ topics = new Set();
  /** @type {Set<string>} */ cursors = new Set();
  #room;
  #refused;

  /**
   * @param {string | null} user
   * @param {number} maxLine
   * @param {Set<string>} refused
   */
  constructor(user, maxLine, refused) {
    const empty = { topics: [], cursors: [], user, presence: true, once: true };
    this.#room = maxLine - lineLength(streamAddress(empty));
    this.#refused = refused;
  }

  /**
   * Add all of these, or none of them. Returns whether they were added.
   * @param {Parley.Followed} wish
   */
  add({ topics, cursors }, isAlways = false) {
    const allowed = topics.filter((topic) => !this.#refused.has(topic));
    const all = new Set([...this.topics, ...allowed]);
    const from = new Set([...this.cursors, ...cursors]);
    if (!isAlways && !this.#fits(all, from)) return false;
    this.topics = all;
    this.cursors = from;
    return true;
  }

  /**
   * Add as many of these topics as fit, beginning with the first.
   * @param {Parley.Followed} wish
   */
  addSome({ topics, cursors }) {
    const isAll = this.add({ topics, cursors });
    if (isAll) return;
    for (const topic of topics) {
      if (!this.add({ topics: [topic], cursors })) return;
    }
  }

  /**
   * A stream that reconnects sends one cursor for all its topics, which may be longer than the cursors that it began with.
   * @param {Set<string>} topics
   * @param {Set<string>} cursors
   */
  #fits(topics, cursors) {
    if (topics.size > MAX_TOPICS || cursors.size > MAX_CURSORS) return false;
    const begun = length([...cursors].map(cursorParameter));
    const goesOn = CURSOR_LENGTH + topics.size * CURSOR_LENGTH_OF_TOPIC;
    return length([...topics].map(topicParameter)) + Math.max(begun, goesOn) <= this.#room;
  }
}

/** @param {string[]} parameters */
const length = (parameters) => parameters.join("&").length + 1;
