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

/** Somebody wants a change: {type, key, root, address?, act, attrs, draft, base?}. */
export function want(records, change) {
  const known = find(records, change.type, change.key);
  if (!known) return [...records, { ...NEW, ...change }];
  return put(records, known, combine(known, change));
}

function combine(known, change) {
  if (known.address) return turn(known, change);
  if (change.act === "destroy") return combineDestroy(known);
  if (known.act === "destroy" || known.doomed) return known;
  const attrs = { ...known.attrs, ...change.attrs };
  // Who was shown what the server has, when it was refused or by the stream, has written on that.
  const isShown = known.problem || change.base?.seq > known.base?.seq;
  const base = isShown ? (change.base ?? known.base) : known.base;
  return { ...known, attrs, base, ...AGAIN };
}

// Back to what the server has there is nothing to ask for, unless a try may have changed that.
function turn(known, { act, attrs, draft }) {
  if (act === known.act) return { ...known, ...AGAIN };
  return known.sent.length === 0 ? null : { ...known, ...AGAIN, act, attrs, draft };
}

// Of what may have arrived we must know that it has before we delete it: late, it would come to life again.
function combineDestroy(known) {
  if (known.act !== "create") return destroy(known);
  return known.sent.length === 0 ? null : { ...known, ...AGAIN, doomed: true };
}

const AGAIN = { tries: 0, problem: null };
const destroy = (record) => ({
  ...record,
  ...FRESH,
  act: "destroy",
  attrs: {},
  base: null,
  doomed: false,
});

/** It is about to be sent. Whoever crashes now knows later that it may have arrived. */
export function send(records, type, key) {
  return change(records, { type, key }, (record) => {
    const sent = [...others(record, record.attrs), record.attrs].slice(-MOST_SENT);
    return { ...record, sent, tries: record.tries + 1 };
  });
}

/** It did not even leave. */
export function recall(records, before) {
  return change(records, before, (record) => ({ ...record, sent: before.sent }));
}

/** The server has done what was `sent`, and answered with this state; `isNew` unless it was stored before. */
export function confirm(records, sent, state, isNew = true) {
  return change(records, sent, (record) => {
    if (record.address) return answer(record, sent);
    if (sent.act === "destroy") return null;
    if (record.act === "destroy") return record;
    if (record.base?.seq > state?.seq) return record; // a late answer, to a tab that had led before
    if (record.doomed) return destroy(record);
    const unchanged = same(record.attrs, sent.attrs) && (isNew || record.sent.length === 1);
    if (unchanged || has(state, record.attrs)) return null;
    return isNew || isOurs(record, state) ? update(record, state) : contest(record, state);
  });
}

const FRESH = { ...AGAIN, sent: [] };

// What was asked for since is an update of what is stored.
const update = (record, state) => ({
  ...record,
  ...FRESH,
  act: "update",
  base: { seq: state.seq, attrs: pick(state, record.attrs) },
});

// Stored by an earlier try, and changed by somebody else since.
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

/** The server has refused what was `sent`. */
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
const others = (record, attrs) => record.sent.filter((version) => !same(version, attrs));

function refuseDestroy(record, sent, problem) {
  if (problem.status === 404) return null;
  return sent.act === "destroy" ? { ...record, problem } : record;
}

// What it has changed into may be what we sent ourselves, and never heard of.
function conflict(record, sent, problem) {
  const theirs = problem[record.type];
  if (record.base?.seq > sent.base?.seq) return { ...record, ...AGAIN }; // written anew since, on what is there
  if (has(theirs, record.attrs)) return null;
  const isNews = theirs.seq !== sent.base?.seq; // else who asks again is told the same again
  if (isNews && (isOurs(record, theirs) || isAsSeen(record, theirs))) return update(record, theirs);
  return { ...record, problem, sent: [] };
}

// Done, or never to be: what nobody wrote is not worth a word. One that was not asked for is a late answer, to a tab that
// had led before.
function answer(record, sent) {
  const rest = others(record, sent.attrs);
  const isAsked = rest.length < record.sent.length;
  return isAsked && record.act === sent.act ? null : { ...record, sent: rest };
}

/** A state of this type came from the server by another way. It may be the state that a record wants. */
export function see(records, type, state) {
  return change(records, { type, key: state.id }, (record) => {
    if (record.act === "destroy" || !has(state, record.attrs)) return record;
    // An echo of an earlier wish, and another one is under way: only its answer will tell.
    if (state.seq <= record.base?.seq || !record.sent.every((attrs) => same(attrs, record.attrs)))
      return record;
    return record.doomed ? destroy(record) : null;
  });
}

/** The object is no more. Who wanted it away, or there, has had it; a text that was meant for it is kept. */
export function bury(records, type, key) {
  return change(records, { type, key }, (record) => {
    const isStillOpen = record.address ? !isJustAsWanted(record) : record.act === "update";
    return isStillOpen ? record : null;
  });
}

// It is away, and no try to have it may arrive yet.
const isJustAsWanted = ({ act, sent, attrs }) =>
  act === "destroy" && sent.every((version) => same(version, attrs));

export const discard = (records, type, key) => put(records, { type, key }, null);

/** What was refused is to be sent once more. */
export const retry = (records, type, key) =>
  change(records, { type, key }, (record) => ({ ...record, ...AGAIN }));

export const find = (records, type, key) =>
  records.find((record) => isSame(record, { type, key })) ?? null;

/** The next to be sent, in the order in which they were first wanted. */
export const nextOf = (records) => records.find((record) => record.problem === null) ?? null;

function change(records, { type, key }, act) {
  const record = find(records, type, key);
  return record ? put(records, record, act(record)) : records;
}

function put(records, wanted, record) {
  return records.flatMap((known) => (isSame(known, wanted) ? (record ?? []) : known));
}

const isSame = (one, other) => one.type === other.type && one.key === other.key;

// What we change has not changed, but something beside it.
const isAsSeen = ({ base, attrs }, state) => has(state, pick(base.attrs, attrs));
const isOurs = (record, state) => record.sent.some((attrs) => has(state, attrs));
const pick = (state, attrs) => _.pick(state, Object.keys(attrs));
const has = (state, attrs) => same(pick(state, attrs), attrs);
const same = (one, other) => _.isEqual(one, other);
