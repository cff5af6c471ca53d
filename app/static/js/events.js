// Every event name there is. An event with a misspelt name is silent, so nobody spells one
// elsewhere: a wrong import does not even load.

// From the server, over the stream; their first argument is the payload's `model`.
export const COMMENT_CREATED = "global.comment.create.success";
export const COMMENT_UPDATED = "global.comment.update.success";
export const COMMENT_DESTROYED = "global.comment.destroy.success";
export const USER_UPDATED = "global.user.update.success";

export const WIRE_CHANGES = [COMMENT_CREATED, COMMENT_UPDATED, COMMENT_DESTROYED, USER_UPDATED];

// About the stream itself. What they carry stands behind each.
export const STREAM_STATE = "local.stream.state"; // "idle" | "connecting" | "live" | "reconnecting" | "offline"
export const STREAM_HEARTBEAT = "local.stream.heartbeat"; // {cursor}: the topic heads
export const STREAM_RESET = "local.stream.reset"; // {topics, reason}: fetch again
export const LOGIN_ENDED = "local.login.ended"; // {reason}: this browser may be a guest's now

// What the server calls them.
export const WIRE_CONTROLS = {
  heartbeat: STREAM_HEARTBEAT,
  reset: STREAM_RESET,
  auth: LOGIN_ENDED,
};

// Between views; the server never hears of these.
export const ENTRY_WANTED = "local.entry.wanted"; // a mode (entry_modes.js): open the form
export const ENTRY_CLOSED = "local.entry.closed"; // the form was closed, signed in or not
export const ANNOUNCEMENT = "local.announcement"; // a sentence for the polite live region
