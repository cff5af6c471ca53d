// Chooses the tabs and topics that fit into one stream, so that the length of the stream's address is bounded. A pure
// function.
//
// Visible tabs come first, then those that were opened last. Their threads and accounts come before any numbers of
// comments (`counts`), which are polled if they do not fit (counts_poll.js).

import { cursorParameter, lineLength, streamAddress, topicParameter } from "./stream_address.js";

export const MAX_LINE_LENGTH = 6_000; // characters of a request line; nginx takes 8 KB, and a proxy may add a prefix
// The server accepts a hundred of each, and adds an account's own topic and the moderators'.
const MAX_TABS = 90;
const MAX_TOPICS = 98;
const MAX_CURSORS = 100;
const CURSOR_BASE_LENGTH = 40; // characters: the parameter's name, and the epoch in a cursor
const CURSOR_TOPIC_LENGTH = 24; // characters for each topic in a cursor: a key of 11, and a seq of up to 10 digits

/** @typedef {Pick<Parley.Member, "topics" | "cursors" | "counts" | "isVisible">} Candidate */

/**
 * Plans a round for `user` without the `refused` topics. `members` are in the order in which they joined. Returns the
 * members of the round, and what to ask the server for. The first tab is always a member.
 * @template {Candidate} M
 * @param {M[]} members
 * @param {{ user: string | null, maxLength?: number, maxTopics?: number, refused?: Set<string> }} options
 */
export function planRound(
  members,
  { user, maxLength = MAX_LINE_LENGTH, maxTopics = MAX_TOPICS, refused = new Set() },
) {
  const plan = new Plan(user, maxLength, maxTopics, refused);
  const inOrder = _.sortBy([...members].reverse(), ({ isVisible }) => (isVisible ? 0 : 1));
  const chosen = inOrder.slice(0, MAX_TABS).filter((one, index) => plan.add(one, index === 0));
  for (const { counts } of chosen) if (counts) plan.addSome(counts);
  return { members: chosen, topics: [...plan.topics], cursors: [...plan.cursors] };
}

class Plan {
  /** @type {Set<string>} */ topics = new Set();
  /** @type {Set<string>} */ cursors = new Set();
  #available; // characters for topics and cursors
  #maxTopics;
  #refused;

  /**
   * @param {string | null} user
   * @param {number} maxLength
   * @param {number} maxTopics
   * @param {Set<string>} refused
   */
  constructor(user, maxLength, maxTopics, refused) {
    const empty = { topics: [], cursors: [], user, presence: true, once: true };
    this.#available = maxLength - lineLength(streamAddress(empty));
    this.#maxTopics = maxTopics;
    this.#refused = refused;
  }

  /**
   * Add all of these, or none of them. Returns whether they were added.
   * @param {Parley.Followed} wanted
   */
  add({ topics, cursors }, isForced = false) {
    const allowed = topics.filter((topic) => !this.#refused.has(topic));
    const all = new Set([...this.topics, ...allowed]);
    const allCursors = new Set([...this.cursors, ...cursors]);
    if (!isForced && !this.#fits(all, allCursors)) return false;
    this.topics = all;
    this.cursors = allCursors;
    return true;
  }

  /**
   * Add as many of these topics as fit, beginning with the first.
   * @param {Parley.Followed} wanted
   */
  addSome({ topics, cursors }) {
    if (this.add({ topics, cursors })) return;
    for (const topic of topics) {
      if (!this.add({ topics: [topic], cursors })) return;
    }
  }

  /**
   * A stream that reconnects sends one cursor for all its topics. It may be longer than the cursors of the first
   * request.
   * @param {Set<string>} topics
   * @param {Set<string>} cursors
   */
  #fits(topics, cursors) {
    if (topics.size > this.#maxTopics || cursors.size > MAX_CURSORS) return false;
    const first = length([...cursors].map(cursorParameter));
    const later = CURSOR_BASE_LENGTH + topics.size * CURSOR_TOPIC_LENGTH;
    return length([...topics].map(topicParameter)) + Math.max(first, later) <= this.#available;
  }
}

/** @param {string[]} parameters */
const length = (parameters) => parameters.join("&").length + 1;
