import { COMMENTABLE } from "../core/events.js";
import { request } from "../core/sync.js";
import { LiveCollection } from "../live/live_collection.js";
import { addressParts } from "../stream/address_parts.js";
import { Commentable, nameOf } from "./commentable.js";

/** The topic of the commentable itself. It has no comments, so that a list of cards can follow many of them. */
export const commentableTopic = (name) => `Commentable/${name}`;

/** @typedef {{ names: string[] }} Fields */

/** Commentables, each on its own topic. Options, in addition to the usual: `names`, such as "Article/1". */
export const Commentables = /** @type {LiveWith<Fields>} */ (LiveCollection).extend({
  model: Commentable,
  plural: "commentables",
  changes: COMMENTABLE,

  initialize(_models, { names }) {
    this.names = names;
  },

  /**
   * Read the commentables with these names. An address has a maximum length, so this may need several requests; each
   * response has a cursor. Rejected with a Problem.
   */
  async read(_page, names) {
    const snapshots = [];
    for (const part of addressParts(names ?? this.names, addressOf)) {
      snapshots.push(await request("read", this, { url: addressOf(part), headers: this.headers }));
    }
    const all = snapshots.flatMap(({ commentables }) => commentables);
    return { commentables: all, cursor: snapshots.map(({ cursor }) => cursor), before: null };
  },

  topics() {
    return this.names.map(commentableTopic);
  },

  named(name) {
    return this.find((commentable) => commentable.name() === name);
  },

  isOurs(state) {
    return this.names.includes(nameOf(state));
  },

  handleReset({ topics }) {
    if (this.topics().some((topic) => topics.includes(topic))) this.refetch();
  },
});

const addressOf = (names) =>
  `/api/commentables/?${new URLSearchParams(names.map((name) => ["topic", name]))}`;
