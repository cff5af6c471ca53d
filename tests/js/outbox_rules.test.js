// The rules of the outbox, without network and storage: known cases, and random histories with faults in any order.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as rules from "../../app/static/js/outbox/outbox_rules.js";
import { chanceFrom, SEED } from "./chance.js";

const CREATE = {
  key: "1",
  type: "comment",
  root: "/c/",
  act: "create",
  attrs: { body: "one" },
  draft: { id: "1" },
};
const UPDATE = { ...CREATE, act: "update", base: { seq: 5, attrs: { body: "zero" } } };
const DESTROY = { ...CREATE, act: "destroy", attrs: {} };
const STORED = { id: "1", body: "one", seq: 7 };
// A like has an address: it can be put and deleted any number of times.
const LIKE = {
  key: "1",
  type: "like",
  address: "/c/2/like",
  act: "create",
  attrs: { body: "2" },
  draft: {},
};
const UNLIKE = { ...LIKE, act: "destroy", attrs: {} };
const LIKED = { id: "1", body: "2", seq: 7 };
const REFUSED = { status: 422, message: "Too long" };

const edit = (body, base = 5) => ({
  ...UPDATE,
  attrs: { body },
  base: { seq: base, attrs: { body: "as seen" } },
});
const stale = (body, seq = 9) => ({
  status: 412,
  message: "Changed meanwhile",
  comment: { id: "1", body, seq },
});
const held = (act, body = null, base = null, refused = false) => [{ act, body, base, refused }];
const refused = (act, body, base = null) => held(act, body, base, true);

// Name, steps, and the records after them. A step is [rule, …arguments]; "sent" stands for the record as it was
// at the last `markSent`.
const CASES = [
  ["a comment waits", [["add", CREATE]], held("create", "one")],
  [
    "three edits of an unsent comment are one create",
    [["add", CREATE], ...["two", "three", "four"].map((body) => ["add", edit(body)])],
    held("create", "four"),
  ],
  [
    "an unsent comment that is deleted leaves no record",
    [
      ["add", CREATE],
      ["add", DESTROY],
    ],
    [],
  ],
  [
    "a comment that may have arrived is deleted once it is known to have arrived",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["add", DESTROY],
    ],
    held("create and destroy", "one"),
  ],
  [
    "a doomed comment is deleted when the server confirms it",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["add", DESTROY],
      ["confirm", "sent", STORED, true],
    ],
    held("destroy"),
  ],
  [
    "a request that did not leave cannot have arrived",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["markUnsent", { ...CREATE, sent: [] }],
      ["add", DESTROY],
    ],
    [],
  ],
  [
    "a confirmed comment leaves the outbox",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["confirm", "sent", STORED, true],
    ],
    [],
  ],
  [
    "a comment that the server stores in another form is confirmed as well",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["confirm", "sent", { ...STORED, body: "ONE" }, true],
    ],
    [],
  ],
  [
    "a text that is edited while it is being sent becomes an edit of the stored text",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["add", edit("two")],
      ["confirm", "sent", STORED, true],
    ],
    held("update", "two", 7),
  ],
  [
    "the first request arrived, but its response did not",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["add", edit("two")],
      ["markSent", "comment", "1"],
      ["confirm", "sent", STORED, false],
    ],
    held("update", "two", 7),
  ],
  [
    "the latest edit is kept, based on the text before the first edit",
    [
      ["add", edit("two", 5)],
      ["add", edit("three", 5)],
    ],
    held("update", "three", 5),
  ],
  [
    "an author who saw a newer text edits that text",
    [
      ["add", edit("two", 5)],
      ["add", edit("three", 6)],
    ],
    held("update", "three", 6),
  ],
  [
    "deleting a comment replaces an unsent edit",
    [
      ["add", edit("two")],
      ["add", DESTROY],
    ],
    held("destroy"),
  ],
  [
    "a deleted comment cannot be edited",
    [
      ["add", DESTROY],
      ["add", edit("two")],
    ],
    held("destroy"),
  ],
  [
    "a refused edit whose text is already stored was confirmed: only the response was lost",
    [
      ["add", edit("two")],
      ["markSent", "comment", "1"],
      ["refuse", "sent", stale("two")],
    ],
    [],
  ],
  [
    "our own earlier edit is no conflict",
    [
      ["add", edit("two")],
      ["markSent", "comment", "1"],
      ["add", edit("three")],
      ["markSent", "comment", "1"],
      ["refuse", "sent", stale("two")],
    ],
    held("update", "three", 9),
  ],
  [
    "somebody else's edit is a conflict",
    [
      ["add", edit("two")],
      ["markSent", "comment", "1"],
      ["refuse", "sent", stale("theirs")],
    ],
    refused("update", "two", 5),
  ],
  [
    "an author who has seen both texts writes on theirs",
    [
      ["add", edit("two")],
      ["markSent", "comment", "1"],
      ["refuse", "sent", stale("theirs")],
      ["add", edit("both", 9)],
    ],
    held("update", "both", 9),
  ],
  [
    "a refused text is kept",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["refuse", "sent", REFUSED],
    ],
    refused("create", "one"),
  ],
  [
    "a text that was rewritten while the server refused it waits again",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["add", edit("two")],
      ["refuse", "sent", REFUSED],
    ],
    held("create", "two"),
  ],
  [
    "a refused text is sent again",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["refuse", "sent", REFUSED],
      ["retry", "comment", "1"],
    ],
    held("create", "one"),
  ],
  [
    "a refused text is deleted",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["refuse", "sent", REFUSED],
      ["add", DESTROY],
    ],
    [],
  ],
  [
    "the stream is faster than the response",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["receive", "comment", STORED],
    ],
    [],
  ],
  [
    "a comment arrived and was deleted on another device",
    [
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["receiveDeletion", "comment", "1"],
    ],
    [],
  ],
  [
    "an edit is kept when its comment is deleted",
    [
      ["add", edit("two")],
      ["receiveDeletion", "comment", "1"],
    ],
    held("update", "two", 5),
  ],
  [
    "deleting a comment that does not exist any more succeeds",
    [
      ["add", DESTROY],
      ["markSent", "comment", "1"],
      ["refuse", "sent", { status: 404 }],
    ],
    [],
  ],
  [
    "an unsent like that is taken back leaves no record",
    [
      ["add", LIKE],
      ["add", UNLIKE],
    ],
    [],
  ],
  [
    "an unsent unlike that is taken back leaves no record",
    [
      ["add", UNLIKE],
      ["add", LIKE],
    ],
    [],
  ],
  [
    "a like that may have arrived is deleted with a request of its own",
    [
      ["add", LIKE],
      ["markSent", "like", "1"],
      ["add", UNLIKE],
    ],
    held("destroy"),
  ],
  [
    "a like is requested a third time, because the results of the first two are unknown",
    [
      ["add", LIKE],
      ["markSent", "like", "1"],
      ["add", UNLIKE],
      ["markSent", "like", "1"],
      ["add", LIKE],
    ],
    held("create", "2"),
  ],
  [
    "the response to an unlike does not confirm a later like",
    [
      ["add", UNLIKE],
      ["markSent", "like", "1"],
      ["add", LIKE],
      ["confirm", "sent", null, true],
    ],
    held("create", "2"),
  ],
  [
    "after that response, going back to what the server has needs no request",
    [
      ["add", UNLIKE],
      ["markSent", "like", "1"],
      ["add", LIKE],
      ["confirm", "sent", null, true],
      ["add", UNLIKE],
    ],
    [],
  ],
  [
    "a confirmed like leaves the outbox",
    [
      ["add", LIKE],
      ["markSent", "like", "1"],
      ["confirm", "sent", LIKED, false],
    ],
    [],
  ],
  [
    "a refused like is dropped",
    [
      ["add", LIKE],
      ["markSent", "like", "1"],
      ["refuse", "sent", { status: 404 }],
    ],
    [],
  ],
  [
    "the stream is faster than the response to a like",
    [
      ["add", LIKE],
      ["markSent", "like", "1"],
      ["receive", "like", LIKED],
    ],
    [],
  ],
  [
    "an older state from the stream does not confirm a second like",
    [
      ["add", UNLIKE],
      ["markSent", "like", "1"],
      ["add", LIKE],
      ["receive", "like", LIKED],
    ],
    held("create", "2"),
  ],
  [
    "the deletion of the first like does not end the second",
    [
      ["add", LIKE],
      ["receiveDeletion", "like", "1"],
    ],
    held("create", "2"),
  ],
  [
    "a like that was taken back on another device leaves the outbox",
    [
      ["add", UNLIKE],
      ["receiveDeletion", "like", "1"],
    ],
    [],
  ],
  [
    "an unlike is kept while a request to like may still arrive",
    [
      ["add", LIKE],
      ["markSent", "like", "1"],
      ["add", UNLIKE],
      ["receiveDeletion", "like", "1"],
    ],
    held("destroy"),
  ],
  [
    "a late response to a tab that led before changes nothing",
    [
      ["add", LIKE],
      ["markSent", "like", "1"],
      ["confirm", "sent", LIKED, false],
      ["add", LIKE],
      ["confirm", "sent", LIKED, false],
    ],
    held("create", "2"),
  ],
  [
    "responses about unknown objects change nothing",
    [
      ["confirm", CREATE, STORED, true],
      ["receive", "comment", STORED],
      ["receiveDeletion", "comment", "1"],
    ],
    [],
  ],
  [
    "a like and a comment with the same id are two records",
    [
      ["add", LIKE],
      ["add", edit("two")],
      ["receive", "comment", { ...STORED, body: "two" }],
    ],
    held("create", "2"),
  ],
  [
    "the deletion of a comment does not end a like with the same id",
    [
      ["add", UNLIKE],
      ["receiveDeletion", "comment", "1"],
      ["discard", "comment", "1"],
    ],
    held("destroy"),
  ],
  [
    "a response about a comment does not confirm a like with the same id",
    [
      ["add", LIKE],
      ["add", CREATE],
      ["markSent", "comment", "1"],
      ["confirm", "sent", STORED, true],
    ],
    held("create", "2"),
  ],
];

const RULES = { ...rules }; // by name

const summary = ({ act, attrs, base, doomed, problem }) => ({
  act: doomed ? "create and destroy" : act,
  body: attrs.body ?? null,
  base: base?.seq ?? null,
  refused: problem !== null,
});

for (const [name, steps, expected] of CASES) {
  test(name, () => {
    let records = [];
    let sent = null;
    for (const [rule, ...given] of steps) {
      records = RULES[rule](records, ...given.map((one) => (one === "sent" ? sent : one)));
      if (rule === "markSent") sent = rules.find(records, ...given);
    }
    assert.deepEqual(records.map(summary), expected);
  });
}

// -- random histories

const HISTORIES = 3_000;
const STEPS = 40;

// A person, their second device, a server with the promises of ours, and a network that loses requests and responses.
function commentHistory(seed) {
  const chance = chanceFrom(seed);
  const overwritten = [];
  const written = new Set();
  let records = [];
  let seq = 0;
  let stored = null;
  let texts = 0;
  let seen = null;
  let last = null;
  let creates = 0;

  const serve = ({ act, attrs, base }) => {
    if (act === "create") {
      if (stored?.deleted) return { status: 409 };
      if (stored) return { status: 200, state: { ...stored } };
      creates += 1;
      stored = { id: "1", body: attrs.body, seq: ++seq };
      return { status: 201, state: { ...stored } };
    }
    if (act === "destroy") {
      if (stored) stored = { ...stored, deleted: true, seq: ++seq };
      return { status: stored ? 204 : 404 };
    }
    if (!stored || stored.deleted) return { status: 404 };
    if (base.seq !== stored.seq) return { status: 412, comment: { ...stored } };
    if (!written.has(stored.body) && stored.body !== seen) overwritten.push(stored.body);
    stored = { ...stored, body: attrs.body, seq: ++seq };
    return { status: 200, state: { ...stored } };
  };
  const respond = (sent, { status, state, comment }) => {
    const isNew = status !== 200 || sent.act !== "create";
    records =
      status < 300
        ? rules.confirm(records, sent, state ?? null, isNew)
        : rules.refuse(records, sent, { status, comment });
  };
  const want = (change) => {
    const known = { key: "1", type: "comment", root: "/", draft: {} };
    records = rules.add(records, { ...known, ...change });
  };
  const write = () => {
    texts += 1;
    last = `mine ${texts}`;
    written.add(last);
    return { body: last };
  };

  const edits = () => {
    if (last === null) return want({ act: "create", attrs: write(), base: null });
    const record = rules.find(records, "comment", "1");
    if (last === "deleted" || (!stored && !record)) return;
    const base = record?.problem?.comment ?? stored;
    if (base) seen = base.body;
    want({
      act: "update",
      attrs: write(),
      base: base && { seq: base.seq, attrs: { body: base.body } },
    });
  };
  const deletes = () => {
    if (last === null || last === "deleted" || chance(8) > 0) return;
    want({ act: "destroy", attrs: {} });
    last = "deleted";
  };
  const editsElsewhere = () => {
    if (!stored || stored.deleted || chance(4) > 0) return;
    texts += 1;
    stored = { ...stored, body: `theirs ${texts}`, seq: ++seq };
  };
  const streams = () => {
    if (!stored || !chance(2)) return;
    records = stored.deleted
      ? rules.receiveDeletion(records, "comment", "1")
      : rules.receive(records, "comment", { ...stored });
  };
  const sends = (fate) => {
    if (!rules.findNext(records)) return;
    records = rules.markSent(records, "comment", "1");
    const sent = rules.find(records, "comment", "1");
    if (fate === "request lost") return;
    if (fate === "edited before it arrives" && chance(2)) edits();
    const response = serve(structuredClone(sent));
    if (fate === "response lost") return;
    if (fate === "edited before the response" && chance(2)) [edits, deletes][chance(2)]();
    respond(sent, response);
  };

  const acts = [edits, deletes, editsElsewhere, sendsAnyhow, sendsAnyhow, streams];
  function sendsAnyhow() {
    sends(FATES[chance(FATES.length)]);
  }
  for (let step = 0; step < STEPS; step += 1) acts[chance(acts.length)]();
  for (let step = 0; step < 20; step += 1) sends("good");
  return { seed, records, stored, last, overwritten, creates, next: rules.findNext(records) };
}

const FATES = [
  "request lost",
  "edited before it arrives",
  "response lost",
  "edited before the response",
];

test("the server has the author's last text, or the author sees a refusal; no unseen text is overwritten", () => {
  for (let seed = SEED; seed < SEED + HISTORIES; seed += 1) {
    const end = commentHistory(seed);
    const stored = end.stored ?? { deleted: true };
    const isRefused = end.records.some((record) => record.problem);
    const about = JSON.stringify(end);
    assert.equal(end.next, null, about);
    assert.ok(end.creates <= 1, about);
    assert.deepEqual(end.overwritten, [], about);
    if (end.last === "deleted") assert.ok(stored.deleted, about);
    else if (end.last && !isRefused)
      assert.ok(
        stored.deleted || stored.body === end.last || stored.body.startsWith("theirs"),
        about,
      );
  }
});

// The same with a like, which the person gives and takes back. The stream may be late.
function likeHistory(seed) {
  const chance = chanceFrom(seed);
  const streamed = [];
  let records = [];
  let seq = 0;
  let stored = null;
  let known = null;
  let wanted = false;
  let deletedAt = 0;

  // As the collection does it: states from before the last deletion are ignored.
  const receive = (state) => {
    if (state.deleted) {
      deletedAt = Math.max(deletedAt, state.seq);
      if (known && known.seq > state.seq) return;
      known = null;
      records = rules.receiveDeletion(records, "like", "1");
    } else if (state.seq > deletedAt) {
      if (!known || state.seq > known.seq) known = state;
      records = rules.receive(records, "like", state);
    }
  };
  const serve = (liked) => {
    if (Boolean(stored) === liked) return;
    seq += 1;
    stored = liked ? { id: "1", comment_id: "2", seq } : null;
    streamed.push(stored ?? { id: "1", seq, deleted: true });
  };
  const shown = () => {
    const record = rules.find(records, "like", "1");
    return record ? record.act === "create" : known !== null;
  };
  const clicks = () => {
    wanted = !shown();
    const act = wanted ? "create" : "destroy";
    const attrs = wanted ? { comment_id: "2" } : {};
    records = rules.add(records, {
      key: "1",
      type: "like",
      address: "/",
      act,
      attrs,
      draft: {},
    });
  };
  const streams = () => {
    if (streamed.length > 0) receive(streamed.shift());
  };
  const sends = (fate) => {
    if (!rules.findNext(records)) return;
    records = rules.markSent(records, "like", "1");
    const sent = rules.find(records, "like", "1");
    if (fate === "request lost") return;
    if (fate === "edited before it arrives" && chance(2)) clicks();
    serve(sent.act === "create");
    const [state, endedAt] = [stored, seq];
    if (fate === "response lost") return;
    if (fate === "edited before the response" && chance(2)) clicks();
    if (chance(2)) streams(); // the stream is faster
    if (state) receive(state);
    else {
      deletedAt = Math.max(deletedAt, endedAt);
      known = null;
    }
    records = rules.confirm(records, sent, state, false);
  };

  const acts = [clicks, clicks, sendsAnyhow, sendsAnyhow, streams];
  function sendsAnyhow() {
    sends(FATES[chance(FATES.length)]);
  }
  for (let step = 0; step < STEPS; step += 1) acts[chance(acts.length)]();
  const last = shown();
  for (let step = 0; step < 20; step += 1) sends("good");
  while (streamed.length > 0) streams();
  return { seed, wanted, last, liked: stored !== null, shown: shown(), records };
}

test("a comment is liked or not as the person clicked last", () => {
  for (let seed = SEED; seed < SEED + HISTORIES; seed += 1) {
    const end = likeHistory(seed);
    const about = JSON.stringify(end);
    assert.deepEqual(end.records, [], about);
    for (const liked of [end.liked, end.shown, end.last]) assert.equal(liked, end.wanted, about);
  }
});
