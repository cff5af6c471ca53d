// The rules of the outbox: functions from one list of records to the next. They use no clock, network or storage.
//
// A *record* is the change of one object that a person wants and that the server has not confirmed. There is one record
// for an object, however often the person changed it: like the server's feeds, the outbox keeps the latest state, not
// its history. `type` and `key` together identify a record, because objects of two models may have the same id.
//
//   type     the live model, as on the wire: "comment"
//   key      the object's id, which is unique within its type
//   root     the path of such objects: "/api/comments/"
//   address  a path to PUT and DELETE this object at, any number of times: "/api/comments/<id>/like". The client need
//            not know whether the object exists. Only such an object may be wanted again after it was not. Else null
//   act      "create" | "update" | "destroy"
//   attrs    the attributes that the object is to have
//   draft    the object as it was shown when the change was added
//   user     the id of the account
//   base     {seq, attrs} that an update was written on; all writable attributes
//   doomed   delete the object as soon as the server is known to have it (create)
//   sent     the attrs of requests whose result is unknown: each of them may have taken effect
//   tries    the number of attempts to send it
//   problem  the reason why the server refused, until the person reacts; else null

/** @typedef {Parley.Attributes} Attributes */
/** @typedef {Parley.Change} Change */
/** @typedef {Parley.Record} Record */
/** @typedef {Parley.RefusedProblem} RefusedProblem */
/** @typedef {Parley.State} State */
/** @typedef {Pick<Record, "type" | "key">} Name */

const MAX_SENT = 8; // versions of one object; each is a text that was typed while a request was in progress

const NEW = {
  address: null,
  attrs: {},
  base: null,
  doomed: false,
  sent: [],
  tries: 0,
  problem: null,
};
const UNTRIED = { tries: 0, problem: null };
const UNSENT = { ...UNTRIED, sent: [] };

/**
 * Add a change that a person wants.
 * @type {Parley.Rule<[change: Change]>}
 */
export function add(records, change) {
  const known = find(records, change.type, change.key);
  if (!known) return [...records, /** @type {Record} */ ({ ...NEW, ...change })];
  return put(records, known, combine(known, change));
}

/** @type {Parley.Next<[change: Change]>} */
function combine(known, change) {
  if (known.address) return combineToggle(known, change);
  if (change.act === "destroy") return combineDestroy(known);
  if (known.act === "destroy" || known.doomed) return known;
  const attrs = { ...known.attrs, ...change.attrs };
  // An author who has seen a newer state, in a refusal or from the stream, has written on that state.
  const isSeen = known.problem || isNewer(change.base, known.base);
  const base = isSeen ? (change.base ?? known.base) : known.base;
  return { ...known, attrs, base, ...UNTRIED };
}

/**
 * Whether both bases are known, and the first is newer.
 * @type {(one?: { seq: number } | null, other?: { seq: number } | null) => boolean}
 */
const isNewer = (one, other) => Boolean(one && other && one.seq > other.seq);

/**
 * A change back to the server's state needs no request, unless an earlier request may have changed that state.
 * @type {Parley.Next<[change: Change]>}
 */
function combineToggle(known, { act, attrs, draft }) {
  if (act === known.act) return { ...known, ...UNTRIED };
  return known.sent.length === 0 ? null : { ...known, ...UNTRIED, act, attrs, draft };
}

/**
 * An object that may have arrived is deleted only once it is known to have arrived. A create that arrives after the
 * delete would make it again.
 * @type {Parley.Next}
 */
function combineDestroy(known) {
  if (known.act !== "create") return toDestroy(known);
  return known.sent.length === 0 ? null : { ...known, ...UNTRIED, doomed: true };
}

/** @type {(record: Record) => Record} */
const toDestroy = (record) => ({
  ...record,
  ...UNSENT,
  act: "destroy",
  attrs: {},
  base: null,
  doomed: false,
});

/**
 * The record is about to be sent. After a crash, the page knows that the request may have arrived.
 * @type {Parley.Rule<[type: string, key: string]>}
 */
export function markSent(records, type, key) {
  return change(records, { type, key }, (record) => {
    const sent = [...otherVersions(record, record.attrs), record.attrs].slice(-MAX_SENT);
    return { ...record, sent, tries: record.tries + 1 };
  });
}

/**
 * The request did not leave the browser.
 * @type {Parley.Rule<[before: Pick<Record, "type" | "key" | "sent">]>}
 */
export function markUnsent(records, before) {
  return change(records, before, (record) => ({ ...record, sent: before.sent }));
}

/**
 * The server has accepted the record as `sent`, and responded with this state; `isNew` unless it had the object before.
 * @type {Parley.Rule<[sent: Record, state: State | null, isNew?: boolean]>}
 */
export function confirm(records, sent, state, isNew = true) {
  return change(records, sent, (record) => {
    if (record.address) return endToggle(record, sent);
    if (sent.act === "destroy") return null;
    if (record.act === "destroy") return record;
    if (isNewer(record.base, state)) return record; // a late response to a tab that led before
    if (record.doomed) return toDestroy(record);
    const isUnchanged = same(record.attrs, sent.attrs) && (isNew || record.sent.length === 1);
    if (isUnchanged) return null;
    if (state === null) return record; // nothing is known about the newer text
    if (has(state, record.attrs)) return null;
    return isNew || isOurs(record, state) ? toUpdate(record, state) : toConflict(record, state);
  });
}

/**
 * The newer text becomes an update of the stored one.
 * @type {(record: Record, state: State) => Record}
 */
const toUpdate = (record, state) => ({
  ...record,
  ...UNSENT,
  act: "update",
  base: { seq: state.seq, attrs: pick(state, record.attrs) },
});

/**
 * An earlier request stored the object, and somebody else has changed it since.
 * @type {(record: Record, state: State) => Record}
 */
const toConflict = (record, state) => ({
  ...toUpdate(record, state),
  base: { seq: state.seq, attrs: record.sent[0] },
  problem: {
    status: 412,
    message: "This was changed in the meantime.",
    errors: [],
    [record.type]: state,
  },
});

/**
 * The server has refused the record as `sent`.
 * @type {Parley.Rule<[sent: Record, problem: RefusedProblem]>}
 */
export function refuse(records, sent, problem) {
  return change(records, sent, (record) => {
    if (record.address) return endToggle(record, sent);
    if (record.act === "destroy") return refuseDestroy(record, sent, problem);
    if (record.doomed) return record.sent.length > 1 ? toDestroy(record) : null; // an earlier version may be stored
    if (problem.status === 412 && problem[record.type]) return refuseStale(record, sent, problem);
    // The server may accept a newer text.
    return same(record.attrs, sent.attrs)
      ? { ...record, problem, sent: otherVersions(record, sent.attrs) }
      : { ...record, ...UNTRIED };
  });
}

/**
 * The versions that were sent, without this one.
 * @type {(record: Record, attrs: Attributes) => Attributes[]}
 */
const otherVersions = (record, attrs) => record.sent.filter((version) => !same(version, attrs));

/** @type {Parley.Next<[sent: Record, problem: RefusedProblem]>} */
function refuseDestroy(record, sent, problem) {
  if (problem.status === 404) return null;
  return sent.act === "destroy" ? { ...record, problem } : record;
}

/**
 * The object has changed since `base`. The change may be an earlier request of ours whose response was lost.
 * @type {Parley.Next<[sent: Record, problem: RefusedProblem]>}
 */
function refuseStale(record, sent, problem) {
  const theirs = problem[record.type];
  if (isNewer(record.base, sent.base)) return { ...record, ...UNTRIED }; // rewritten since, on a newer state
  if (has(theirs, record.attrs)) return null;
  const isNews = theirs.seq !== sent.base?.seq; // without news the next request would be refused in the same way
  if (isNews && (isOurs(record, theirs) || isAsSeen(record, theirs)))
    return toUpdate(record, theirs);
  return { ...record, problem, sent: [] };
}

/**
 * The record ends, accepted or refused: a refused toggle has no text that would be lost. A response to another request
 * than the latest is a late one, to a tab that led before.
 * @type {Parley.Next<[sent: Record]>}
 */
function endToggle(record, sent) {
  const rest = otherVersions(record, sent.attrs);
  const isExpected = rest.length < record.sent.length;
  return isExpected && record.act === sent.act ? null : { ...record, sent: rest };
}

/**
 * The stream or a snapshot delivered a state of this type. It may be the state that a record wants.
 * @type {Parley.Rule<[type: string, state: State]>}
 */
export function receive(records, type, state) {
  return change(records, { type, key: state.id }, (record) => {
    if (record.act === "destroy" || !has(state, record.attrs)) return record;
    // If another version was sent, the state may result from an older request: only the response decides.
    const isOld = record.base !== null && state.seq <= record.base.seq;
    if (isOld || !record.sent.every((attrs) => same(attrs, record.attrs))) return record;
    return record.doomed ? toDestroy(record) : null;
  });
}

/**
 * The object was deleted. Creates and deletes of it are done; an update is kept, because it has a text.
 * @type {Parley.Rule<[type: string, key: string]>}
 */
export function receiveDeletion(records, type, key) {
  return change(records, { type, key }, (record) => {
    const isStillOpen = record.address ? !isDeletedAsWanted(record) : record.act === "update";
    return isStillOpen ? record : null;
  });
}

/**
 * The object is to be deleted, and no request to create it may arrive any more.
 * @type {(record: Record) => boolean}
 */
const isDeletedAsWanted = ({ act, sent, attrs }) =>
  act === "destroy" && sent.every((version) => same(version, attrs));

/** @type {Parley.Rule<[type: string, key: string]>} */
export const discard = (records, type, key) => put(records, { type, key }, null);

/**
 * Send a refused change once more.
 * @type {Parley.Rule<[type: string, key: string]>}
 */
export const retry = (records, type, key) =>
  change(records, { type, key }, (record) => ({ ...record, ...UNTRIED }));

/** @type {(records: Record[], type: string, key: string) => Record | null} */
export const find = (records, type, key) =>
  records.find((record) => isSame(record, { type, key })) ?? null;

/**
 * The next record to be sent, in the order in which the records were added.
 * @type {(records: Record[]) => Record | null}
 */
export const findNext = (records) => records.find((record) => record.problem === null) ?? null;

/** @type {Parley.Rule<[name: Name, act: Parley.Next]>} */
function change(records, { type, key }, act) {
  const record = find(records, type, key);
  return record ? put(records, record, act(record)) : records;
}

/** @type {Parley.Rule<[name: Name, record: Record | null]>} */
function put(records, name, record) {
  return records.flatMap((known) => (isSame(known, name) ? (record ?? []) : known));
}

/** @type {(one: Name, other: Name) => boolean} */
const isSame = (one, other) => one.type === other.type && one.key === other.key;

/**
 * The attributes that the record changes are as in its base; only other attributes have changed.
 * @type {(record: Record, state: State) => boolean}
 */
const isAsSeen = ({ base, attrs }, state) => base !== null && has(state, pick(base.attrs, attrs));

/** @type {(record: Record, state: State) => boolean} */
const isOurs = (record, state) => record.sent.some((attrs) => has(state, attrs));

/** @type {(state: Attributes, attrs: Attributes) => Attributes} */
const pick = (state, attrs) => _.pick(state, Object.keys(attrs));

/** @type {(state: Attributes, attrs: Attributes) => boolean} */
const has = (state, attrs) => same(pick(state, attrs), attrs);

/** @type {(one: unknown, other: unknown) => boolean} */
const same = (one, other) => _.isEqual(one, other);
