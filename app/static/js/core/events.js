// All event names. A misspelt event name fails silently, but a misspelt import fails to load, so no other file spells
// one out.

// From the server, over the stream; their first argument is the payload's `model`.
export const COMMENT = changesOf("comment");
export const COMMENTABLE = changesOf("commentable");
export const LIKE = changesOf("like");
export const USER = changesOf("user");
export const NOTIFICATION = changesOf("notification");
export const REPORT = changesOf("report");
export const DECISION = changesOf("decision");

/** What happens to the objects of each live model. A new model is one more here. */
export const LIVE = [COMMENT, COMMENTABLE, LIKE, USER, NOTIFICATION, REPORT, DECISION];

/** @typedef {{ created: string, updated: string, destroyed: string }} Changes */

/** @param {string} model */
function changesOf(model) {
  return {
    created: `global.${model}.create.success`,
    updated: `global.${model}.update.success`,
    destroyed: `global.${model}.destroy.success`,
  };
}

// About the stream itself. The comment after each name describes its argument.
// idle | connecting | live | catching-up | reconnecting | offline | polling | signed-out
export const STREAM_STATE = "local.stream.state";
export const STREAM_HEARTBEAT = "local.stream.heartbeat"; // {cursor}: the topic heads
export const STREAM_RESET = "local.stream.reset"; // {topics, reason}: fetch again
export const PRESENCE = "local.presence"; // {topic, people, count, guests, typing, typing_count}
export const STREAM_LEFT_OUT = "local.stream.left-out"; // {topics}: topics of this page that the stream does not follow
export const LOGIN_ENDED = "local.login.ended"; // {reason}: the server ended or refused this login
export const LOGIN_CHANGED = "local.login.changed"; // somebody signed in or out in another tab

// The names on the wire.
export const HEARTBEAT = "heartbeat";
export const RESET = "reset";
export const AUTH = "auth";
/** @type {{ [name: string]: string }} */
export const WIRE_CONTROLS = {
  [HEARTBEAT]: STREAM_HEARTBEAT,
  [RESET]: STREAM_RESET,
  [AUTH]: LOGIN_ENDED,
  presence: PRESENCE,
};

/** Every event that a stream can deliver, by its name on the wire. */
export const WIRE_CHANGES = LIVE.flatMap((changes) => Object.values(changes));
export const WIRE_NAMES = [...WIRE_CHANGES, ...Object.keys(WIRE_CONTROLS)];

// About changes that the server has not confirmed.
export const OUTBOX_CHANGED = "local.outbox.changed"; // {waiting, refused}: how many of this login's records
export const OUTBOX_VOLATILE = "local.outbox.volatile"; // (error): unsent changes are lost when this page closes

// Between views. These are never sent to the server.
export const ENTRY_WANTED = "local.entry.wanted"; // a mode (auth_modes.js), {to, act}?: open the form
export const ENTRY_CLOSED = "local.entry.closed"; // the form was closed, signed in or not
export const SIGN_OUT_WANTED = "local.sign-out.wanted"; // sign out; ask first if a text would be lost
export const REPORT_WANTED = "local.report.wanted"; // (a comment): open the report dialog
export const DECISION_WANTED = "local.decision.wanted"; // (an act, {id, …}): open moderation_dialog_view.js
export const MENU_WANTED = "local.menu.wanted"; // (a comment's button, "toggle" | "open"): open its menu
export const PART_FAILED = "local.part.failed"; // (retry): the code of a part (lazy_part.js) could not be loaded
export const PART_LOADED = "local.part.loaded"; // the code of a part was loaded
export const COMMENTS_ARRIVED = "local.comments.arrived"; // (n): the stream delivered n comments by other people
export const ANNOUNCEMENT = "local.announcement"; // a sentence for the polite live region
