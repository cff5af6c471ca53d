// The states a stream can be in, and what leads from one to the other. An input that a state does not name
// leaves it as it is. docs/browser.md draws this table; a test walks it.
//
//   open          follow these topics from these cursors
//   close         nothing to follow any more
//   level         an event came, and there is no more behind it
//   behind        an event came, and there is more to come
//   polled        an event came as the answer to a poll
//   lost          the connection broke
//   unreachable   it broke again and again, or the browser says that it is offline
//   ended         the login of this stream has ended

/** @typedef {{ [input in Parley.StreamInput]?: Parley.StreamState }} Inputs */

/** @type {Inputs} */
const HEARD = { level: "live", behind: "catching-up", polled: "polling" };
/** @type {Inputs} */
const LOST = { lost: "reconnecting", unreachable: "offline" };
/** @type {Inputs} */
const ANY = { open: "connecting", close: "idle", ended: "signed-out" };

/** @type {{ [state in Parley.StreamState]: Inputs }} */
export const TRANSITIONS = {
  idle: { open: "connecting" },
  connecting: { ...ANY, ...HEARD, ...LOST },
  live: { ...ANY, ...HEARD, ...LOST },
  "catching-up": { ...ANY, ...HEARD, ...LOST },
  reconnecting: { ...ANY, ...HEARD, unreachable: "offline" },
  offline: { ...ANY, ...HEARD, lost: "offline" },
  polling: { ...ANY, ...HEARD, ...LOST },
  // What is lost now was this login's; whoever looks next opens their own.
  "signed-out": { ...ANY, ...HEARD },
};

/**
 * @param {Parley.StreamState} state
 * @param {Parley.StreamInput} input
 */
export const next = (state, input) => TRANSITIONS[state][input] ?? state;
