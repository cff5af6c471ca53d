// What the outbox holds, as functions from one list of records to the next: no clock, no network, no storage.
//
// A *record* is what somebody wants of one object and the server has not confirmed. There is one for each object,
// however often it was changed since: like our feeds, the outbox keeps the latest state and not the way to it.
// A record is known by `type` and `key` together: objects of two models may have the same id.
//
//   type     the live model, as on the wire: "comment"
//   key      the object's id, which is unique within its type
//   root     where such objects live: "/api/comments/"
//   address  where this one is put and deleted instead, as often as one likes, by who need not know which of the two
//            it was before: "/api/comments/<id>/like". Only such an object may be wanted again after it was not
//   act      "create" | "update" | "destroy"
//   attrs    what the object is to have
//   draft    the object as it was shown when this was first wanted
//   user     whose it is; an account's id
//   base     {seq, attrs} that an update was written on; all attributes that one may write
//   doomed   to be deleted as soon as the server is known to have it (create)
//   sent     the attrs of tries whose answer we do not know: some of them may have taken effect
//   tries    how often it was sent in vain
//   problem  why the server refused, until somebody does something about it; else null

/** @typedef {Parley.Record} OutboxRecord */
/** @typedef {Parley.Attributes} Attributes */

const MOST_SENT = 8; // versions of one object; each is another text, typed while a request was under way

const NEW = {
  address: null,
  attrs: {},
  base: null,
  doomed: false,
  sent: [],
  tries: 0,
  problem: null,
};

/**
 * Somebody wants a change.
 * @param {OutboxRecord[]} records
 * @param {Parley.Change} change
 * @returns {OutboxRecord[]}
 */
export function want(records, change) {
  const known = find(records, change.type, change.key);
  if (!known) return [...records, /** @type {OutboxRecord} */ ({ ...NEW, ...change })];
  return put(records, known, combine(known, change));
}

/**
 * @param {OutboxRecord} known
 * @param {Parley.Change} change
 * @returns {OutboxRecord | null}
 */
function combine(known, change) {
  if (known.address) return turn(known, change);
  if (change.act === "destroy") return combineDestroy(known);
  if (known.act === "destroy" || known.doomed) return known;
  const attrs = { ...known.attrs, ...change.attrs };
  // Who was shown what the server has, when it was refused or by the stream, has written on that.
  const isShown = known.problem || isNewer(change.base, known.base);
  const base = isShown ? (change.base ?? known.base) : known.base;
  return { ...known, attrs, base, ...AGAIN };
}

/**
 * Whether both bases are known, and the first is newer.
 * @param {{ seq: number } | null | undefined} one
 * @param {{ seq: number } | null | undefined} other
 */
const isNewer = (one, other) => Boolean(one && other && one.seq > other.seq);

// Back to what the server has there is nothing to ask for, unless a try may have changed that.
/**
 * @param {OutboxRecord} known
 * @param {Parley.Change} change
 * @returns {OutboxRecord | null}
 */
function turn(known, { act, attrs, draft }) {
  if (act === known.act) return { ...known, ...AGAIN };
  return known.sent.length === 0 ? null : { ...known, ...AGAIN, act, attrs, draft };
}

// Of what may have arrived we must know that it has before we delete it: late, it would come to life again.
/**
 * @param {OutboxRecord} known
 * @returns {OutboxRecord | null}
 */
function combineDestroy(known) {
  if (known.act !== "create") return destroy(known);
  return known.sent.length === 0 ? null : { ...known, ...AGAIN, doomed: true };
}

const AGAIN = { tries: 0, problem: null };

/**
 * @param {OutboxRecord} record
 * @returns {OutboxRecord}
 */
const destroy = (record) => ({
  ...record,
  ...FRESH,
  act: "destroy",
  attrs: {},
  base: null,
  doomed: false,
});

/**
 * It is about to be sent. After a crash, the page knows that it may have arrived.
 * @param {OutboxRecord[]} records
 * @param {string} type
 * @param {string} key
 */
export function send(records, type, key) {
  return change(records, { type, key }, (record) => {
    const sent = [...others(record, record.attrs), record.attrs].slice(-MOST_SENT);
    return { ...record, sent, tries: record.tries + 1 };
  });
}

/**
 * It did not even leave.
 * @param {OutboxRecord[]} records
 * @param {Pick<OutboxRecord, "type" | "key" | "sent">} before
 */
export function recall(records, before) {
  return change(records, before, (record) => ({ ...record, sent: before.sent }));
}

/**
 * The server has done what was `sent`, and answered with this state; `isNew` unless it was stored before.
 * @param {OutboxRecord[]} records
 * @param {OutboxRecord} sent
 * @param {Parley.State | null} state
 */
export function confirm(records, sent, state, isNew = true) {
  return change(records, sent, (record) => {
    if (record.address) return answer(record, sent);
    if (sent.act === "destroy") return null;
    if (record.act === "destroy") return record;
    if (isNewer(record.base, state)) return record; // a late answer, to a tab that had led before
    if (record.doomed) return destroy(record);
    const unchanged = same(record.attrs, sent.attrs) && (isNew || record.sent.length === 1);
    if (unchanged) return null;
    if (state === null) return record; // nothing is known about the newer text
    if (has(state, record.attrs)) return null;
    return isNew || isOurs(record, state) ? update(record, state) : contest(record, state);
  });
}

const FRESH = { ...AGAIN, sent: [] };

// What was asked for since is an update of what is stored.
/**
 * @param {OutboxRecord} record
 * @param {Parley.State} state
 * @returns {OutboxRecord}
 */
const update = (record, state) => ({
  ...record,
  ...FRESH,
  act: "update",
  base: { seq: state.seq, attrs: pick(state, record.attrs) },
});

// Stored by an earlier try, and changed by somebody else since.
/**
 * @param {OutboxRecord} record
 * @param {Parley.State} state
 * @returns {OutboxRecord}
 */
const contest = (record, state) => ({
  ...update(record, state),
  base: { seq: state.seq, attrs: record.sent[0] },
  problem: {
    status: 412,
    message: "This was changed in the meantime.",
    errors: [],
    [record.type]: state,
  },
});

/**
 * The server has refused what was `sent`.
 * @param {OutboxRecord[]} records
 * @param {OutboxRecord} sent
 * @param {Parley.RefusedProblem} problem
 */
export function refuse(records, sent, problem) {
  return change(records, sent, (record) => {
    if (record.address) return answer(record, sent);
    if (record.act === "destroy") return refuseDestroy(record, sent, problem);
    if (record.doomed) return record.sent.length > 1 ? destroy(record) : null; // was an earlier version stored?
    if (problem.status === 412 && problem[record.type]) return conflict(record, sent, problem);
    // Written anew meanwhile, it may not be refused.
    return same(record.attrs, sent.attrs)
      ? { ...record, problem, sent: others(record, sent.attrs) }
      : { ...record, ...AGAIN };
  });
}

// Of the versions that were sent, all but this one.
/**
 * @param {OutboxRecord} record
 * @param {Attributes} attrs
 */
const others = (record, attrs) => record.sent.filter((version) => !same(version, attrs));

/**
 * @param {OutboxRecord} record
 * @param {OutboxRecord} sent
 * @param {Parley.RefusedProblem} problem
 * @returns {OutboxRecord | null}
 */
function refuseDestroy(record, sent, problem) {
  if (problem.status === 404) return null;
  return sent.act === "destroy" ? { ...record, problem } : record;
}

// What it has changed into may be what we sent ourselves, and never heard of.
/**
 * @param {OutboxRecord} record
 * @param {OutboxRecord} sent
 * @param {Parley.RefusedProblem} problem
 * @returns {OutboxRecord | null}
 */
function conflict(record, sent, problem) {
  const theirs = problem[record.type];
  if (isNewer(record.base, sent.base)) return { ...record, ...AGAIN }; // written anew since, on what is there
  if (has(theirs, record.attrs)) return null;
  const isNews = theirs.seq !== sent.base?.seq; // else who asks again is told the same again
  if (isNews && (isOurs(record, theirs) || isAsSeen(record, theirs))) return update(record, theirs);
  return { ...record, problem, sent: [] };
}

// Done, or never to be: what nobody wrote is not worth a word. One that was not asked for is a late answer, to a tab that
// had led before.
/**
 * @param {OutboxRecord} record
 * @param {OutboxRecord} sent
 * @returns {OutboxRecord | null}
 */
function answer(record, sent) {
  const rest = others(record, sent.attrs);
  const isAsked = rest.length < record.sent.length;
  return isAsked && record.act === sent.act ? null : { ...record, sent: rest };
}

/**
 * A state of this type came from the server by another way. It may be the state that a record wants.
 * @param {OutboxRecord[]} records
 * @param {string} type
 * @param {Parley.State} state
 */
export function see(records, type, state) {
  return change(records, { type, key: state.id }, (record) => {
    if (record.act === "destroy" || !has(state, record.attrs)) return record;
    // An echo of an earlier wish, and another one is under way: only its answer will tell.
    const isOld = record.base !== null && state.seq <= record.base.seq;
    if (isOld || !record.sent.every((attrs) => same(attrs, record.attrs))) return record;
    return record.doomed ? destroy(record) : null;
  });
}

/**
 * The object is no more. Wishes to have it or to delete it are fulfilled; a text that was meant for it is kept.
 * @param {OutboxRecord[]} records
 * @param {string} type
 * @param {string} key
 */
export function bury(records, type, key) {
  return change(records, { type, key }, (record) => {
    const isStillOpen = record.address ? !isJustAsWanted(record) : record.act === "update";
    return isStillOpen ? record : null;
  });
}

// It is away, and no try to have it may arrive yet.
/** @param {OutboxRecord} record */
const isJustAsWanted = ({ act, sent, attrs }) =>
  act === "destroy" && sent.every((version) => same(version, attrs));

/**
 * @param {OutboxRecord[]} records
 * @param {string} type
 * @param {string} key
 */
export const discard = (records, type, key) => put(records, { type, key }, null);

/**
 * A refused change is to be sent once more.
 * @param {OutboxRecord[]} records
 * @param {string} type
 * @param {string} key
 */
export const retry = (records, type, key) =>
  change(records, { type, key }, (record) => ({ ...record, ...AGAIN }));

/**
 * @param {OutboxRecord[]} records
 * @param {string} type
 * @param {string} key
 * @returns {OutboxRecord | null}
 */
export const find = (records, type, key) =>
  records.find((record) => isSame(record, { type, key })) ?? null;

/**
 * The next to be sent, in the order in which they were first wanted.
 * @param {OutboxRecord[]} records
 */
export const nextOf = (records) => records.find((record) => record.problem === null) ?? null;

/** @typedef {Pick<OutboxRecord, "type" | "key">} Name */

/**
 * @param {OutboxRecord[]} records
 * @param {Name} name
 * @param {(record: OutboxRecord) => OutboxRecord | null} act
 */
function change(records, { type, key }, act) {
  const record = find(records, type, key);
  return record ? put(records, record, act(record)) : records;
}

/**
 * @param {OutboxRecord[]} records
 * @param {Name} wanted
 * @param {OutboxRecord | null} record
 */
function put(records, wanted, record) {
  return records.flatMap((known) => (isSame(known, wanted) ? (record ?? []) : known));
}

/**
 * @param {Name} one
 * @param {Name} other
 */
const isSame = (one, other) => one.type === other.type && one.key === other.key;

/**
 * What we change has not changed, but something beside it.
 * @param {OutboxRecord} record
 * @param {Parley.State} state
 */
const isAsSeen = ({ base, attrs }, state) => base !== null && has(state, pick(base.attrs, attrs));

/**
 * @param {OutboxRecord} record
 * @param {Parley.State} state
 */
const isOurs = (record, state) => record.sent.some((attrs) => has(state, attrs));

/**
 * @param {Attributes} state
 * @param {Attributes} attrs
 */
const pick = (state, attrs) => _.pick(state, Object.keys(attrs));

/**
 * @param {Attributes} state
 * @param {Attributes} attrs
 */
const has = (state, attrs) => same(pick(state, attrs), attrs);

/**
 * @param {unknown} one
 * @param {unknown} other
 */
const same = (one, other) => _.isEqual(one, other);
