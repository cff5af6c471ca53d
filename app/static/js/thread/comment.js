import { LiveModel } from "../live/live_model.js";

const MAX_DEPTH = 4; // levels of replies that are drawn, as on the server (app/comments/comments.py)

/** The attributes of a comment that its author has just written. The server does not have it yet. */
export const newAttributes = (
  body,
  author,
  parent = /** @type {Parley.Comment | null} */ (null),
) => ({
  body,
  user_id: author.id,
  username: author.get("username"),
  role: author.isModerator?.() ? author.get("role") : null,
  parent_id: parent?.id ?? null,
  path: parent ? [...parent.path(), parent.id].slice(0, MAX_DEPTH) : [],
  created_at: new Date().toISOString(),
  edited: false,
  current_user_can_edit: true,
});

export const Comment = LiveModel.extend({
  type: "comment",
  urlRoot: "/api/comments/",
  writable: ["body", "commentable_type", "commentable_id", "parent_id", "page"],

  // `page` is sent with a new comment, but is not part of the comment that the server returns.
  initialize() {
    if (this.isNew()) this.once("change:created_seq", () => this.unset("page", { silent: true }));
  },

  // If only the likes have changed, the server sends only their number.
  isPartial: (state) => !("body" in state),

  /** The text to show: with the author's unconfirmed change, if there is one. */
  text() {
    return this.shown("body");
  },

  /** The server's HTML of that text; null if plain text is enough, or the server does not have the text yet. */
  html() {
    const isServers = !this.isNew() && this.pending?.body === undefined;
    return isServers && this.get("plain") === false ? this.get("html") : null;
  },

  /** The ids of the comments that it is drawn under, from the top level down. */
  path() {
    return this.get("path") ?? [];
  },

  /** Change the text. `seen`: {seq, body}, the version that the author saw. */
  edit(body, seen) {
    this.change({ body }, seen);
  },
});
