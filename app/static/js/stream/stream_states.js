// The states of a stream, and the inputs that lead from one state to another. An input that a state does not name has
// no effect. docs/browser.md draws this table, and a test compares the two.
//
//   open          follow these topics from these cursors
//   close         there is nothing to follow any more
//   caughtUp      an event arrived, and no more are pending
//   behind        an event arrived, and more are pending
//   polled        an event arrived in the response to a poll
//   lost          the connection was lost
//   unreachable   several attempts failed, or the browser reports that it is offline
//   ended         the login of this stream has ended

/** @typedef {{ [input in Parley.StreamInput]?: Parley.StreamState }} Inputs */

/** @type {Inputs} */
const EVENTS = { caughtUp: "live", behind: "catching-up", polled: "polling" };
/** @type {Inputs} */
const FAILURES = { lost: "reconnecting", unreachable: "offline" };
/** @type {Inputs} */
const COMMON = { open: "connecting", close: "idle", ended: "signed-out" };

/** @type {{ [state in Parley.StreamState]: Inputs }} */
export const TRANSITIONS = {
  idle: { open: "connecting" },
  connecting: { ...COMMON, ...EVENTS, ...FAILURES },
  live: { ...COMMON, ...EVENTS, ...FAILURES },
  "catching-up": { ...COMMON, ...EVENTS, ...FAILURES },
  reconnecting: { ...COMMON, ...EVENTS, unreachable: "offline" },
  offline: { ...COMMON, ...EVENTS, lost: "offline" },
  polling: { ...COMMON, ...EVENTS, ...FAILURES },
  // A failure has no effect: the lost connection was that of the ended login. The next viewer opens another stream.
  "signed-out": { ...COMMON, ...EVENTS },
};

/**
 * @param {Parley.StreamState} state
 * @param {Parley.StreamInput} input
 */
export const next = (state, input) => TRANSITIONS[state][input] ?? state;
