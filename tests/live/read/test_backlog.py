from __future__ import annotations

from types import MappingProxyType
from uuid import UUID, uuid4

from app.comments.comments import COMMENT
from app.live.read.backlog import Backlog
from app.live.read.changes import Change, Frame
from app.live.viewers import Kind


def change(seq: int, id: UUID | None = None, size: int = 10) -> Change:
    frame = Frame(True, b"x" * size)
    return Change(COMMENT, id or uuid4(), seq, 1, None, MappingProxyType(dict.fromkeys(Kind, frame)))


def seqs(backlog: Backlog, after: int) -> list[int]:
    return [change.seq for change in backlog.after(after)]


def test_a_backlog_returns_newer_changes() -> None:
    backlog = Backlog(5, 10, 1_000)
    backlog.extend([change(6), change(7), change(9)])
    assert seqs(backlog, 5) == [6, 7, 9]
    assert seqs(backlog, 7) == [9]
    assert seqs(backlog, 9) == []


def test_a_backlog_has_only_the_newest_change_of_an_object() -> None:
    backlog, id_ = Backlog(0, 10, 1_000), uuid4()
    old = change(1, id_)
    backlog.extend([old, change(2)])
    backlog.extend([change(3, id_)])
    assert seqs(backlog, 0) == [2, 3]
    assert backlog.supersedes(old)
    assert not backlog.supersedes(change(3, id_))
    assert not backlog.supersedes(change(1))


def test_the_oldest_changes_are_evicted_and_raise_the_floor() -> None:
    backlog = Backlog(0, 2, 1_000)
    backlog.extend(change(seq) for seq in (1, 2, 3, 4))
    assert (backlog.floor, len(backlog)) == (2, 2)
    assert seqs(backlog, 2) == [3, 4]


def test_the_bytes_of_a_backlog_are_bounded_too() -> None:
    backlog = Backlog(0, 100, 30)
    backlog.extend([change(1, size=20), change(2, size=20)])
    assert (backlog.floor, seqs(backlog, 1)) == (1, [2])
    backlog.extend([change(3, size=31)])
    assert (backlog.floor, len(backlog)) == (3, 0)


def test_a_frame_for_several_kinds_of_viewers_counts_once() -> None:
    assert change(1, size=10).size == 10
