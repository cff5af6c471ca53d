import { LiveModel } from "../live/live_model.js";

const DEEPEST = 4; // levels of replies that are drawn, as on the server

/** The attributes of a comment that its author has just written and the server has not seen. */
export const draft = (body, author, parent = /** @type {Parley.Comment | null} */ (null)) => ({
  body,
  user_id: author.id,
  username: author.get("username"),
  role: author.isModerator?.() ? author.get("role") : null,
  parent_id: parent?.id ?? null,
  path: parent ? [...parent.path(), parent.id].slice(0, DEEPEST) : [],
  created_at: new Date().toISOString(),
  edited: false,
  current_user_can_edit: true,
});

/** One comment. */
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

  /** What to show: the text its author wants it to have. */
  text() {
    return this.shown("body");
  },

  /** The server's HTML of that text; null where the text says it all, or the server has not seen it. */
  html() {
    const isServers = !this.isNew() && this.pending?.body === undefined;
    return isServers && this.get("plain") === false ? this.get("html") : null;
  },

  /** The ids under which it is drawn, from the top down. */
  path() {
    return this.get("path") ?? [];
  },

  /** Change the text. `seen`: {seq, body}, what its author saw. */
  edit(body, seen) {
    this.change({ body }, seen);
  },
});
