"""What the outbox holds, by its rules alone: no network, no storage, and every order in which things can go wrong."""

from __future__ import annotations

import random
from typing import Any

from tests.browser.people import Person

CREATE = {"key": "1", "type": "comment", "root": "/c/", "act": "create", "attrs": {"body": "one"}, "draft": {"id": "1"}}
UPDATE = {**CREATE, "act": "update", "base": {"seq": 5, "attrs": {"body": "zero"}}}
DESTROY = {**CREATE, "act": "destroy", "attrs": {}}
STORED = {"id": "1", "body": "one", "seq": 7}
# What is put and deleted as often as one likes.
LIKE = {"key": "1", "type": "like", "address": "/c/2/like", "act": "create", "attrs": {"body": "2"}, "draft": {}}
UNLIKE = {**LIKE, "act": "destroy", "attrs": {}}
LIKED = {"id": "1", "body": "2", "seq": 7}
REFUSED = {"status": 422, "message": "Too long"}

# Each step is [rule, …arguments]; `sent` stands for the record as it was at the last "send".
RUN = """async (steps) => {
  const rules = await import("/static/js/outbox_rules.js");
  let records = [], sent = null;
  for (const [rule, ...given] of steps) {
    records = rules[rule](records, ...given.map((one) => one === "sent" ? sent : one));
    if (rule === "send") sent = rules.find(records, ...given);
  }
  return records.map(({ act, attrs, base, doomed, problem }) => ({
    act: doomed ? "create and destroy" : act,
    body: attrs.body ?? null,
    base: base?.seq ?? null,
    refused: problem !== null,
  }));
}"""


def held(act: str, body: str | None = None, base: int | None = None, refused: bool = False) -> list[dict[str, Any]]:
    return [{"act": act, "body": body, "base": base, "refused": refused}]


def edit(body: str, base: int = 5) -> dict[str, Any]:
    return {**UPDATE, "attrs": {"body": body}, "base": {"seq": base, "attrs": {"body": "as seen"}}}


def stale(body: str, seq: int = 9) -> dict[str, Any]:
    return {"status": 412, "message": "Changed meanwhile", "comment": {"id": "1", "body": body, "seq": seq}}


CASES = {
    "a comment waits": ([["want", CREATE]], held("create", "one")),
    "three edits of an unsent comment are one create": (
        [["want", CREATE], *(["want", edit(body)] for body in ("two", "three", "four"))],
        held("create", "four"),
    ),
    "an unsent comment that is deleted was never there": ([["want", CREATE], ["want", DESTROY]], []),
    "a comment that may have arrived is deleted once it is known to have": (
        [["want", CREATE], ["send", "comment", "1"], ["want", DESTROY]],
        held("create and destroy", "one"),
    ),
    "and then it is": (
        [["want", CREATE], ["send", "comment", "1"], ["want", DESTROY], ["confirm", "sent", STORED, True]],
        held("destroy"),
    ),
    "what did not leave cannot have arrived": (
        [["want", CREATE], ["send", "comment", "1"], ["recall", {**CREATE, "sent": []}], ["want", DESTROY]],
        [],
    ),
    "confirmed": ([["want", CREATE], ["send", "comment", "1"], ["confirm", "sent", STORED, True]], []),
    "a server that stores it in its own way has stored it": (
        [["want", CREATE], ["send", "comment", "1"], ["confirm", "sent", {**STORED, "body": "ONE"}, True]],
        [],
    ),
    "what was written while it was under way is an edit of what arrived": (
        [["want", CREATE], ["send", "comment", "1"], ["want", edit("two")], ["confirm", "sent", STORED, True]],
        held("update", "two", 7),
    ),
    "the first try had arrived, its answer had not": (
        [
            ["want", CREATE],
            ["send", "comment", "1"],
            ["want", edit("two")],
            ["send", "comment", "1"],
            ["confirm", "sent", STORED, False],
        ],
        held("update", "two", 7),
    ),
    "the latest text, on what was there before the first": (
        [["want", edit("two", base=5)], ["want", edit("three", base=5)]],
        held("update", "three", 5),
    ),
    "unless its author has seen what came since": (
        [["want", edit("two", base=5)], ["want", edit("three", base=6)]],
        held("update", "three", 6),
    ),
    "who deletes needs no edit": ([["want", edit("two")], ["want", DESTROY]], held("destroy")),
    "who has deleted cannot edit": ([["want", DESTROY], ["want", edit("two")]], held("destroy")),
    "it has changed into just what was wanted: the answer was lost": (
        [["want", edit("two")], ["send", "comment", "1"], ["refuse", "sent", stale("two")]],
        [],
    ),
    "it has changed by ourselves: no conflict, and not refused": (
        [
            ["want", edit("two")],
            ["send", "comment", "1"],
            ["want", edit("three")],
            ["send", "comment", "1"],
            ["refuse", "sent", stale("two")],
        ],
        held("update", "three", 9),
    ),
    "a conflict": (
        [["want", edit("two")], ["send", "comment", "1"], ["refuse", "sent", stale("theirs")]],
        held("update", "two", 5, refused=True),
    ),
    "who has seen both writes on theirs": (
        [
            ["want", edit("two")],
            ["send", "comment", "1"],
            ["refuse", "sent", stale("theirs")],
            ["want", edit("both", base=9)],
        ],
        held("update", "both", 9),
    ),
    "a refused text is kept": (
        [["want", CREATE], ["send", "comment", "1"], ["refuse", "sent", REFUSED]],
        held("create", "one", refused=True),
    ),
    "what was refused has been rewritten meanwhile": (
        [["want", CREATE], ["send", "comment", "1"], ["want", edit("two")], ["refuse", "sent", REFUSED]],
        held("create", "two"),
    ),
    "again": (
        [["want", CREATE], ["send", "comment", "1"], ["refuse", "sent", REFUSED], ["retry", "comment", "1"]],
        held("create", "one"),
    ),
    "or given up": ([["want", CREATE], ["send", "comment", "1"], ["refuse", "sent", REFUSED], ["want", DESTROY]], []),
    "the stream was faster than the answer": (
        [["want", CREATE], ["send", "comment", "1"], ["see", "comment", STORED]],
        [],
    ),
    "arrived, and deleted on another device": (
        [["want", CREATE], ["send", "comment", "1"], ["bury", "comment", "1"]],
        [],
    ),
    "a text outlives its comment": ([["want", edit("two")], ["bury", "comment", "1"]], held("update", "two", 5)),
    "gone already is as good": ([["want", DESTROY], ["send", "comment", "1"], ["refuse", "sent", {"status": 404}]], []),
    "a like that is taken back unsent was never there": ([["want", LIKE], ["want", UNLIKE]], []),
    "and one that is given back unsent was never away": ([["want", UNLIKE], ["want", LIKE]], []),
    "what may have arrived is asked for anew, the other way": (
        [["want", LIKE], ["send", "like", "1"], ["want", UNLIKE]],
        held("destroy"),
    ),
    "and again, for nobody knows what became of the first two": (
        [["want", LIKE], ["send", "like", "1"], ["want", UNLIKE], ["send", "like", "1"], ["want", LIKE]],
        held("create", "2"),
    ),
    "an answer to what was wanted before is no answer to what is wanted now": (
        [["want", UNLIKE], ["send", "like", "1"], ["want", LIKE], ["confirm", "sent", None, True]],
        held("create", "2"),
    ),
    "but it says what the server has, and back to that is nothing": (
        [["want", UNLIKE], ["send", "like", "1"], ["want", LIKE], ["confirm", "sent", None, True], ["want", UNLIKE]],
        [],
    ),
    "a like is answered": ([["want", LIKE], ["send", "like", "1"], ["confirm", "sent", LIKED, False]], []),
    "a like that is refused is dropped": (
        [["want", LIKE], ["send", "like", "1"], ["refuse", "sent", {"status": 404}]],
        [],
    ),
    "the stream was faster than the like's answer": (
        [["want", LIKE], ["send", "like", "1"], ["see", "like", LIKED]],
        [],
    ),
    "what the stream says from before is no answer to a second wish": (
        [["want", UNLIKE], ["send", "like", "1"], ["want", LIKE], ["see", "like", LIKED]],
        held("create", "2"),
    ),
    "nor is the end of the first like that of the second": (
        [["want", LIKE], ["bury", "like", "1"]],
        held("create", "2"),
    ),
    "gone on another device is gone": ([["want", UNLIKE], ["bury", "like", "1"]], []),
    "unless a try to have it may still arrive": (
        [["want", LIKE], ["send", "like", "1"], ["want", UNLIKE], ["bury", "like", "1"]],
        held("destroy"),
    ),
    "a late answer, to a tab that had led before, is none": (
        [
            ["want", LIKE],
            ["send", "like", "1"],
            ["confirm", "sent", LIKED, False],
            ["want", LIKE],
            ["confirm", "sent", LIKED, False],
        ],
        held("create", "2"),
    ),
    "of what is unknown, nothing": (
        [["confirm", CREATE, STORED, True], ["see", "comment", STORED], ["bury", "comment", "1"]],
        [],
    ),
    "a like and a comment with the same id are two records": (
        [["want", LIKE], ["want", edit("two")], ["see", "comment", {**STORED, "body": "two"}]],
        held("create", "2"),
    ),
    "the end of a comment is not the end of a like with its id": (
        [["want", UNLIKE], ["bury", "comment", "1"], ["discard", "comment", "1"]],
        held("destroy"),
    ),
    "an answer about a comment is none about a like with its id": (
        [["want", LIKE], ["want", CREATE], ["send", "comment", "1"], ["confirm", "sent", STORED, True]],
        held("create", "2"),
    ),
}


async def test_what_is_wanted(guest: Person) -> None:
    for name, (steps, wanted) in CASES.items():
        assert await guest.page.evaluate(RUN, steps) == wanted, name


# A person, their second device, a server that promises what ours does, and a road that loses what it likes.
HISTORY = """(rules, seed, steps) => {
  const chance = (() => { let s = seed; return (n) => (s = (s * 48271) % 2147483647) % n; })();
  let records = [], seq = 0, stored = null, texts = 0;
  const overwritten = [], written = new Set();
  let seen = null, last = null, creates = 0;

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
  const answered = (sent, { status, state, comment }) => {
    if (status < 300) records = rules.confirm(records, sent, state ?? null, status !== 200 || sent.act !== "create");
    else records = rules.refuse(records, sent, { status, comment });
  };
  const want = (change) => {
    records = rules.want(records, { key: "1", type: "comment", root: "/", draft: {}, ...change });
  };
  const write = () => { const body = `mine ${texts += 1}`; written.add(body); last = body; return { body }; };

  const acts = [
    () => { // the person writes, or writes anew
      if (last === null) return want({ act: "create", attrs: write(), base: null });
      const record = rules.find(records, "comment", "1");
      if (last === "deleted" || (!stored && !record)) return;
      const base = record?.problem?.comment ?? stored;
      if (base) seen = base.body;
      want({ act: "update", attrs: write(), base: base && { seq: base.seq, attrs: { body: base.body } } });
    },
    () => {
      if (last === null || last === "deleted" || chance(8) > 0) return;
      want({ act: "destroy", attrs: {} });
      last = "deleted";
    },
    () => { // their other device
      if (!stored || stored.deleted || chance(4) > 0) return;
      stored = { ...stored, body: `theirs ${texts += 1}`, seq: ++seq };
    },
    () => send(chance(4)),
    () => send(chance(4)),
    () => { // the stream
      if (!stored || !chance(2)) return;
      if (stored.deleted) records = rules.bury(records, "comment", "1");
      else records = rules.see(records, "comment", { ...stored });
    },
  ];
  const send = (fate) => {
    if (!rules.nextOf(records)) return;
    const before = rules.nextOf(records);
    records = rules.send(records, "comment", "1");
    const sent = rules.find(records, "comment", "1");
    if (fate === 0) return;                                      // the request is lost
    if (fate === 1 && chance(2)) acts[0]();                      // somebody writes while it is under way
    const answer = serve(structuredClone(sent));
    if (fate === 2) return;                                      // the answer is lost
    if (fate === 3 && chance(2)) acts[chance(2)]();
    answered(sent, answer);
  };
  for (let step = 0; step < steps; step += 1) acts[chance(acts.length)]();
  for (let step = 0; step < 20; step += 1) send(5);              // the road is good again
  return { seed, records, stored, last, overwritten, creates, left: rules.nextOf(records) };
}"""
HISTORIES = f"""async ([seed, histories, steps]) => {{
  const rules = await import("/static/js/outbox_rules.js");
  return Array.from({{ length: histories }}, (_, number) => ({HISTORY})(rules, seed + number, steps));
}}"""


async def test_whatever_is_lost_on_the_way(guest: Person) -> None:
    """What was wanted last is what the server has, or the person is told; nothing is overwritten that nobody saw."""
    seed = random.randrange(1, 1_000_000)
    print(f"from seed {seed}")
    for end in await guest.page.evaluate(HISTORIES, [seed, 3_000, 40]):
        told = [record for record in end["records"] if record["problem"]]
        stored = end["stored"] or {"deleted": True}
        assert end["left"] is None, end
        assert end["creates"] <= 1, end
        assert end["overwritten"] == [], end
        if end["last"] == "deleted":
            assert stored.get("deleted"), end
        elif end["last"] and not told:
            assert stored.get("deleted") or stored["body"] == end["last"] or stored["body"].startswith("theirs"), end


# The same with a like, which the person gives and takes back in between; the stream tells what it has heard late, too.
TURNS = """(rules, seed, steps) => {
  const chance = (() => { let s = seed; return (n) => (s = (s * 48271) % 2147483647) % n; })();
  let records = [], seq = 0, stored = null, known = null, wanted = false, buried = 0;
  const told = [];

  // As the collection has it: what is shown, and states from before the last end are not believed.
  const hear = (state) => {
    if (state.deleted) {
      buried = Math.max(buried, state.seq);
      if (known && known.seq > state.seq) return;
      known = null;
      records = rules.bury(records, "like", "1");
    } else if (state.seq > buried) {
      if (!known || state.seq > known.seq) known = state;
      records = rules.see(records, "like", state);
    }
  };
  const change = (liked) => {
    if (Boolean(stored) === liked) return;
    seq += 1;
    stored = liked ? { id: "1", comment_id: "2", seq } : null;
    told.push(stored ?? { id: "1", seq, deleted: true });
  };
  const shown = () => {
    const record = rules.find(records, "like", "1");
    return record ? record.act === "create" : known !== null;
  };
  const turn = () => {
    wanted = !shown();
    const act = wanted ? "create" : "destroy";
    const attrs = wanted ? { comment_id: "2" } : {};
    records = rules.want(records, { key: "1", type: "like", address: "/", act, attrs, draft: {} });
  };
  const send = (fate) => {
    if (!rules.nextOf(records)) return;
    records = rules.send(records, "like", "1");
    const sent = rules.find(records, "like", "1");
    if (fate === 0) return;                                      // the request is lost
    if (fate === 1 && chance(2)) turn();                         // they think better of it while it is under way
    change(sent.act === "create");
    const [state, ended] = [stored, seq];
    if (fate === 2) return;                                      // the answer is lost
    if (fate === 3 && chance(2)) turn();
    if (chance(2) && told.length > 0) hear(told.shift());        // the stream is faster
    if (state) hear(state);
    else { buried = Math.max(buried, ended); known = null; }
    records = rules.confirm(records, sent, state, false);
  };
  const acts = [turn, turn, () => send(chance(4)), () => send(chance(4)), () => told.length > 0 && hear(told.shift())];
  for (let step = 0; step < steps; step += 1) acts[chance(acts.length)]();
  const last = shown();
  for (let step = 0; step < 20; step += 1) send(5);              // the road is good again
  while (told.length > 0) hear(told.shift());
  return { seed, wanted, last, liked: stored !== null, shown: shown(), left: records };
}"""
MANY_TURNS = HISTORIES.replace(HISTORY, TURNS)


async def test_liked_or_not_is_what_was_wanted_last(guest: Person) -> None:
    """Given and taken back again and again, with requests and answers lost: the last word counts, and is shown."""
    seed = random.randrange(1, 1_000_000)
    print(f"from seed {seed}")
    for end in await guest.page.evaluate(MANY_TURNS, [seed, 3_000, 40]):
        assert end["left"] == [], end
        assert end["liked"] is end["shown"] is end["last"] is end["wanted"], end
