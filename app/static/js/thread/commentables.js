import { COMMENTABLE } from "../core/events.js";
import { request } from "../core/sync.js";
import { LiveCollection } from "../live/live_collection.js";
import { addressParts } from "../stream/address_parts.js";
import { Commentable, nameOf } from "./commentable.js";

/** Where a commentable itself lives: who follows that hears of no comment. */
export const about = (name) => `Commentable/${name}`;

/** @typedef {{ names: string[] }} Fields */

/** Commentables, each on a topic of its own. Options, beside the usual: `names`, of those that are here: "Article/1". */
export const Commentables = /** @type {LiveWith<Fields>} */ (LiveCollection).extend({
  model: Commentable,
  plural: "commentables",
  changes: COMMENTABLE,

  initialize(_models, { names }) {
    this.names = names;
  },

  /** Read these, in as many requests as their addresses need; each request has a cursor. Rejected with a Problem. */
  async read(_page, names) {
    const snapshots = [];
    for (const part of addressParts(names ?? this.names, addressOf)) {
      snapshots.push(await request("read", this, { url: addressOf(part), headers: this.headers }));
    }
    const all = snapshots.flatMap(({ commentables }) => commentables);
    return { commentables: all, cursor: snapshots.map(({ cursor }) => cursor), before: null };
  },

  named(name) {
    return this.find((commentable) => commentable.name() === name);
  },

  isOurs(state) {
    return this.names.includes(nameOf(state));
  },

  restart({ topics }) {
    if (this.names.some((name) => topics.includes(about(name)))) this.refetch();
  },
});

const addressOf = (names) =>
  `/api/commentables/?${new URLSearchParams(names.map((name) => ["topic", name]))}`;
