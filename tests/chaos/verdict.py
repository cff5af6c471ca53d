"""The verdict compares the promises with the results. Each check returns its violations as sentences.

The ledger has the responses that people got, the witness the commits of the database, and the replicas the pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from app.live.topics import Topic
from tests.chaos.ledger import Ask, Ledger, Outcome, Verb
from tests.chaos.witness import Seen
from tests.chaos.world import TERM_LIMIT, Life

ENDED_WELL = (0, 128 + 15)  # uvicorn shuts down, and then ends with the signal that it got

SUSPICIOUS = re.compile(
    r"Traceback|ERROR|CRITICAL|never retrieved|never awaited|was destroyed|garbage collector|Unclosed|Warning:"
)

# Suspicious lines that a log may contain, with the reason.
ALLOWED: Mapping[str, str] = {}


def of_seqs(seqs: Mapping[Topic, Sequence[int]], heads: Mapping[Topic, int]) -> Iterator[str]:
    """Each seq from 1 to the counter was taken once, and no other seq."""
    for topic, head in heads.items():
        taken = list(seqs.get(topic, ()))
        if taken != list(range(1, head + 1)):
            missing = sorted(set(range(1, head + 1)) - set(taken))
            yield f"{topic}: the counter is {head}; {len(taken)} seqs were taken, without {missing[:20]}"


def of_writes(ledger: Ledger, history: Mapping[UUID, Sequence[Seen]]) -> Iterator[str]:
    """Each acknowledged change was stored once, the latest one holds, and no refused change was ever stored."""
    by_id = sorted(ledger.asks, key=attrgetter("id"))
    asked = {id_: list(asks) for id_, asks in groupby(by_id, key=attrgetter("id"))}
    for id_, asks in asked.items():
        yield from of_comment(asks, history.get(id_, ()))
    for id_ in history.keys() - asked.keys():
        yield f"{id_} is there, and nobody has asked for it"


def of_comment(asks: Sequence[Ask], seen: Sequence[Seen]) -> Iterator[str]:
    """`asks` in the order in which they began, `seen` in order of seq."""
    yield from _uncertain(asks)
    yield from _not_there(asks, seen)
    yield from _there_though_refused(asks, seen)
    yield from _more_than_once(asks, seen)
    yield from _not_the_latest(asks, seen)


def _uncertain(asks: Sequence[Ask]) -> Iterator[str]:
    for ask in asks:
        if ask.outcome is Outcome.UNCERTAIN:
            yield f"{ask.by}'s {ask.verb} of {ask.id} was never answered, sent {ask.sent} times"


def _not_there(asks: Sequence[Ask], seen: Sequence[Seen]) -> Iterator[str]:
    states = {(change.seq, change.body) for change in seen}
    for ask in asks:
        acknowledged = ask.outcome is Outcome.ACKNOWLEDGED
        if acknowledged and ask.verb is Verb.DELETE and not any(change.deleted for change in seen):
            yield f"{ask.by}'s delete of {ask.id} was acknowledged, and it was never deleted"
        if acknowledged and ask.verb is not Verb.DELETE and (ask.seq, ask.body) not in states:
            yield f"{ask.by}'s {ask.verb} of {ask.id} was acknowledged at {ask.seq}, and never there: {ask.body[:40]!r}"


def _there_though_refused(asks: Sequence[Ask], seen: Sequence[Seen]) -> Iterator[str]:
    bodies = {ask.body: ask for ask in asks if ask.body}
    for change in seen:
        ask = bodies.get(change.body)
        if change.deleted:
            continue
        if ask is None:
            yield f"{change.id} was {change.body[:40]!r} at {change.seq}, which nobody has asked for"
        # A conditional edit may have been stored before its repetition was refused.
        elif ask.outcome is Outcome.REFUSED and not (ask.conditional and ask.lost):
            yield f"{ask.by}'s {ask.verb} of {ask.id} was refused ({ask.status}), and there at {change.seq}"


def _more_than_once(asks: Sequence[Ask], seen: Sequence[Seen]) -> Iterator[str]:
    for ask in asks:
        times = sum(change.body == ask.body and not change.deleted for change in seen)
        most = 1 if ask.conditional or ask.verb is Verb.CREATE else 1 + ask.lost
        if times > most:
            yield f"{ask.by}'s {ask.verb} of {ask.id} was done {times} times, sent {ask.sent} times"


def _not_the_latest(asks: Sequence[Ask], seen: Sequence[Seen]) -> Iterator[str]:
    """The final state is the last acknowledged change, or a lost edit without a condition that took effect late."""
    acknowledged = [ask for ask in asks if ask.outcome is Outcome.ACKNOWLEDGED]
    if not acknowledged or not seen:
        return
    last, now = acknowledged[-1], seen[-1]
    if last.verb is Verb.DELETE:
        if not now.deleted:
            yield f"{last.id} was deleted, and is there again as {now.body[:40]!r} at {now.seq}"
    elif now.deleted:
        yield f"{last.id} is deleted, and nobody's delete was acknowledged"
    elif now.body != last.body and now.body not in late(asks):
        yield f"{last.id} is {now.body[:40]!r} at {now.seq}, not {last.body[:40]!r} as acknowledged at {last.seq}"


def late(asks: Sequence[Ask]) -> set[str]:
    """Bodies that may replace later ones: edits without a condition that got no response."""
    return {ask.body for ask in asks if ask.verb is Verb.EDIT and ask.lost and not ask.conditional}


def came_late(ledger: Ledger, history: Mapping[UUID, Sequence[Seen]]) -> int:
    """The number of lost edits that replaced a later acknowledged one."""
    latest = {ask.id: ask for ask in ledger.asks if ask.outcome is Outcome.ACKNOWLEDGED and ask.body}
    return sum(
        not history[id_][-1].deleted and history[id_][-1].body != ask.body
        for id_, ask in latest.items()
        if id_ in history
    )


def of_lives(lives: Sequence[Life]) -> Iterator[str]:
    """Each worker ended in time after SIGTERM, and no log has suspicious lines."""
    for life in lives:
        if life.seconds_to_end is not None and life.seconds_to_end > TERM_LIMIT:
            yield f"{life.name} took {life.seconds_to_end:.1f} s to end after SIGTERM"
        if life.seconds_to_end is not None and life.exit_code not in ENDED_WELL:
            yield f"{life.name} ended with {life.exit_code} after SIGTERM"
        for line in suspicious(life.log):
            yield f"{life.name} logged: {line}"


def suspicious(log: str) -> list[str]:
    """The suspicious lines; of a traceback only its last line, which names the error."""
    lines = log.splitlines()
    found = [number for number, line in enumerate(lines) if SUSPICIOUS.search(line)]
    told = [_last_of_traceback(lines, number) for number in found]
    return [line for line in told if not any(re.search(allowed, line) for allowed in ALLOWED)]


def _last_of_traceback(lines: Sequence[str], at: int) -> str:
    if not lines[at].startswith("Traceback"):
        return lines[at]
    return next((line for line in lines[at + 1 :] if line and not line.startswith(" ")), lines[at])
