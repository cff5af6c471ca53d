import { Commentable, nameOf } from "./commentable.js";
import { COMMENTABLE } from "./events.js";
import { LiveCollection } from "./live_collection.js";

/** Where a commentable itself lives: who follows that hears of no comment. */
export const about = (name) => `Commentable/${name}`;

/** Commentables, each on a topic of its own. Options, beside the usual: `names`, of those that are here: "Article/1". */
export const Commentables = LiveCollection.extend({
  model: Commentable,
  plural: "commentables",
  changes: COMMENTABLE,

  initialize(_models, { names }) {
    this.names = names;
  },

  url() {
    const query = new URLSearchParams(this.names.map((name) => ["topic", name]));
    return `/api/commentables/?${query}`;
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
