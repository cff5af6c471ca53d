"""The verdict finds each kind of violation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.live.topics import Topic
from tests.chaos.ledger import Ask, Outcome, Verb
from tests.chaos.verdict import of_comment, of_lives, of_seqs
from tests.chaos.witness import Seen
from tests.chaos.world import TERM_LIMIT, Life

ID = UUID(int=1)
ONE = Topic("Article", "1")


def ask(verb: Verb, body: str = "", seq: int | None = None, **more: Any) -> Ask:
    outcome = more.pop("outcome", Outcome.ACKNOWLEDGED)
    return Ask("alice", verb, ID, body, seq=seq, outcome=outcome, sent=1 + more.get("lost", 0), **more)


def seen(*changes: tuple[int, str | None]) -> list[Seen]:
    """Committed changes from (seq, body); the body of a deletion is None."""
    return [Seen("Article/1", seq, ID, body or "", body is None) for seq, body in changes]


CREATED = ask(Verb.CREATE, "one", 1)
EDITED = ask(Verb.EDIT, "two", 2)
DELETED = ask(Verb.DELETE)
LOST = ask(Verb.EDIT, "late", 2, lost=1)
REFUSED = ask(Verb.EDIT, "no", outcome=Outcome.REFUSED)


@pytest.mark.parametrize(
    ("asks", "changes"),
    [
        ([CREATED], seen((1, "one"))),
        ([CREATED, EDITED], seen((1, "one"), (2, "two"))),
        ([CREATED, EDITED, REFUSED, DELETED], seen((1, "one"), (2, "two"), (3, None))),
        ([CREATED, LOST, ask(Verb.EDIT, "three", 3)], seen((1, "one"), (2, "late"), (3, "three"), (4, "late"))),
        ([REFUSED], []),
    ],
)
def test_a_history_that_keeps_the_promises_passes(asks: list[Ask], changes: list[Seen]) -> None:
    assert not list(of_comment(asks, changes))


@pytest.mark.parametrize(
    ("asks", "changes", "expected"),
    [
        ([CREATED], [], "never there"),
        ([CREATED, EDITED], seen((1, "one")), "never there"),
        ([CREATED], seen((1, "one"), (2, "one")), "done 2 times"),
        ([CREATED, EDITED], seen((1, "one"), (2, "two"), (3, "one")), "not 'two'"),
        ([CREATED, DELETED], seen((1, "one")), "never deleted"),
        ([CREATED, DELETED], seen((1, "one"), (2, None), (3, "one")), "there again"),
        ([CREATED], seen((1, "one"), (2, None)), "nobody's delete"),
        ([CREATED, REFUSED], seen((1, "one"), (2, "no")), "was refused"),
        ([CREATED], seen((1, "one"), (2, "surprise")), "nobody has asked"),
        ([ask(Verb.CREATE, "one", outcome=Outcome.UNCERTAIN)], [], "never answered"),
    ],
)
def test_a_broken_promise_is_named(asks: list[Ask], changes: list[Seen], expected: str) -> None:
    assert any(expected in violation for violation in of_comment(asks, changes))


@pytest.mark.parametrize("taken", [[1, 3], [1, 2, 2, 3], [1, 2], []])
def test_a_gap_and_a_repeated_seq_are_found(taken: list[int]) -> None:
    assert list(of_seqs({ONE: taken}, {ONE: 3}))
    assert not list(of_seqs({ONE: [1, 2, 3]}, {ONE: 3}))


def test_a_worker_ends_in_time_and_without_an_error_in_its_log() -> None:
    well = Life("worker 1.1", log="INFO:     Started", seconds_to_end=0.2, exit_code=143)
    killed = Life("worker 1.2", exit_code=137)
    slow = Life("worker 2.1", seconds_to_end=TERM_LIMIT + 1, exit_code=0)
    failed = Life("worker 2.2", log="Traceback (most recent call last):\n  File\nKeyError: 1\n")
    assert not list(of_lives([well, killed]))
    assert len(list(of_lives([slow]))) == 1
    assert list(of_lives([failed])) == ["worker 2.2 logged: KeyError: 1"]
