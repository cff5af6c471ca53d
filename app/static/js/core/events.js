// All event names except Backbone's own ("add", "change" and others). A misspelt event name fails silently, but a
// misspelt import fails to load, so no other file spells a name out. A comment after a name describes its arguments.

// From the server, over the stream. The first argument is the payload's `model`.
export const COMMENT = changesOf("comment");
export const COMMENTABLE = changesOf("commentable");
export const LIKE = changesOf("like");
export const USER = changesOf("user");
export const NOTIFICATION = changesOf("notification");
export const REPORT = changesOf("report");
export const DECISION = changesOf("decision");

/** The events of each live model. A new model is added here. */
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

// About the stream itself. The argument of the first one is a state (stream_states.js):
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
export const AUTH_DIALOG_WANTED = "local.entry.wanted"; // (mode, {to, act}?): open the auth dialog (auth_modes.js)
export const AUTH_DIALOG_CLOSED = "local.entry.closed"; // the auth dialog was closed, after a sign-in or not
export const SIGN_OUT_WANTED = "local.sign-out.wanted"; // sign out; ask first if a text would be lost
export const REPORT_DIALOG_WANTED = "local.report.wanted"; // (comment): open the report dialog
export const MODERATION_DIALOG_WANTED = "local.decision.wanted"; // (act, {id, …}): open the moderation dialog
export const MENU_WANTED = "local.menu.wanted"; // (a comment's button, "toggle" | "open"): open its menu
export const FOLLOW_MENU_WANTED = "local.follow.wanted"; // ("toggle" | "open" | "read"): open the menu, or report reading
export const PART_FAILED = "local.part.failed"; // (retry): the code of a part (lazy_part.js) could not be loaded
export const PART_LOADED = "local.part.loaded"; // the code of a part was loaded
export const COMMENTS_ARRIVED = "local.comments.arrived"; // (n): the stream delivered n comments by other people
export const ANNOUNCEMENT = "local.announcement"; // a sentence for the polite live region

// Messages between the tabs of one browser (tabs.js). During an upgrade, tabs of two releases exchange them, so neither
// these strings nor the members of the messages may change.
export const LEADER_CHECK = "poke"; // {}: asks the leading tab for LEADER_ALIVE
export const LEADER_ALIVE = "here"; // {}: from the leading tab, and from each new one
export const LEADER_LEAVING = "farewell"; // the leading tab is closed or frozen; another one is about to lead
export const JOIN_REQUEST = "call"; // {}: a new leader asks each tab for TAB_JOINED or TAB_PARTED
export const TAB_JOINED = "join"; // (a Member): the topics that a tab follows, and its cursors
export const TAB_PARTED = "part"; // {tab}: the tab follows nothing
export const TAB_VISIBILITY = "seen"; // {tab, isVisible}
export const ROUND_STARTED = "round"; // {round, user, tabs, topics}
export const ROUND_STATE = "state"; // {round, state}: the state of the stream
export const ROUND_EVENT = "event"; // {round, name, data, id}: an event of the stream
export const OUTBOX_STORED = "outbox"; // {tab, user, news}: a tab changed the stored records of this account

// Triggered by `Tabs` for this tab only.
export const LEADERSHIP_GAINED = "lead";
export const LEADERSHIP_LOST = "yield";
export const TAB_SUSPENDED = "leave"; // the tab is about to be closed, frozen, or put into the back/forward cache
export const TAB_RESUMED = "back"; // it is out of the back/forward cache, or no longer frozen

// Triggered by models, collections and the outbox for their views.
export const SAVE_STATE_CHANGED = "standing"; // (live model): its `state()`, `pending` or `refusal` changed
export const CHANGE_REFUSED = "refused"; // (live model, problem): the server refused a change
export const WINDOW_CHANGED = "window"; // (live collection): other objects are loaded
export const NEWER_CHANGED = "newer"; // (live collection): the number of objects beyond the window changed
export const EDIT_ORPHANED = "orphan"; // (record): a refused change, whose object is not loaded
export const ANCESTORS_CHANGED = "ancestors"; // (comments): the ancestors of loaded comments changed
export const NOTIFICATION_ARRIVED = "told"; // (notification): a new one, over the stream
export const UNREAD_CHANGED = "unread"; // (notifications): the number of unread ones
export const SERVER_STATE = "state"; // (type, state, counted): the server has answered a request (outbox.js)
export const RECORD_CHANGED = "record"; // (type, key, record): a record of the outbox, or null if it is gone
export const DRAFTS_CHANGED = "changed"; // a draft was put aside or removed
export const DRAFT_DISCARDED = "discarded"; // (draft): its author does not want it any more
export const DRAFTS_ERASED = "erased"; // the account signed out here, or was deleted
export const LOGIN_RENEWED = "renewed"; // the same account has signed in again
export const ACCOUNT_LEFT = "left"; // (reason, isHere): nobody is signed in any more. `isHere`: signed out on this page

/**
 * Triggered by `Likes`: whether this person likes the comment, or the number to be shown, has changed.
 * @param {string} commentId
 */
export const likeChanged = (commentId) => `liked:${commentId}`;
