"""Emphasis: which runs of `*`, `_` and `~` open and close something, in linear time.

The algorithm is CommonMark's (spec 0.31, "An algorithm for parsing nested emphasis and links"), with three rules for
chat:

1. A single `*` inside a word, and any run between two digits, is text: `a*b*c`, `2**3**4`.
2. Characters of scripts without spaces count as space: `**重要。**です` is strong, though no space follows.
3. Runs of more than three characters are text, and so is emphasis that is nested deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from app.text.visible_text import is_written_without_spaces

MAX_DEPTH = 6  # levels of emphasis inside emphasis
MAX_RUN_LENGTH = 3  # characters of one run (3)


@dataclass(slots=True)
class Pair:
    """The emphasis that an opener and a closer make together."""

    tag: str
    marker: str
    is_text: bool = False  # nested too deep (3)


@dataclass(slots=True)
class Run:
    """A run of one marker. `left` of its characters belong to no pair yet."""

    marker: str
    length: int
    can_open: bool
    can_close: bool
    left: int
    closes: tuple[Pair, ...] = ()  # from the inside out
    opens: tuple[Pair, ...] = ()  # from the inside out


def run_at(text: str, start: int, end: int) -> Run | None:
    """The run of markers `text[start:end]`; None if it can only be text."""
    marker, length = text[start], end - start
    before = text[start - 1] if start else "\n"
    after = text[end] if end < len(text) else "\n"
    if length > MAX_RUN_LENGTH or (marker == "~" and length != 2) or (before.isdigit() and after.isdigit()):
        return None
    (space_before, mark_before, loose_before), (space_after, mark_after, loose_after) = _kind(before), _kind(after)
    left = not space_after and (not mark_after or space_before or mark_before or loose_before)
    right = not space_before and (not mark_before or space_after or mark_after or loose_after)
    can_open, can_close = left, right
    if marker == "_" or (marker == "*" and length == 1 and not (loose_before or loose_after)):  # (1)
        can_open, can_close = left and (not right or mark_before), right and (not left or mark_after)
    return Run(marker, length, can_open, can_close, length) if can_open or can_close else None


def match_runs(runs: list[Run]) -> None:
    """Pair openers with closers in linear time: each key's `bottom` prevents that a failed search is repeated."""
    openers: list[Run] = []
    bottoms: dict[tuple[str, bool, int], int] = {}
    for run in runs:
        key = (run.marker, run.can_open, run.length % 3)
        while run.can_close and run.left:
            found = _opener(openers, run, bottoms.get(key, 0))
            if found < 0:
                bottoms[key] = len(openers)
                break
            _pair(openers[found], run)
            del openers[found + bool(openers[found].left) :]
            for other, bottom in bottoms.items():
                bottoms[other] = min(bottom, len(openers))
        if run.can_open and run.left:
            openers.append(run)


def _opener(openers: list[Run], closer: Run, bottom: int) -> int:
    for at in range(len(openers) - 1, bottom - 1, -1):
        opener = openers[at]
        if opener.marker == closer.marker and not _is_odd(opener, closer):
            return at
    return -1


def _is_odd(opener: Run, closer: Run) -> bool:
    """Whether the spec's "rule of 3" forbids this pair; it concerns runs that can both open and close."""
    both = opener.can_close or closer.can_open
    lengths = opener.length + closer.length
    return both and lengths % 3 == 0 and (opener.length % 3 != 0 or closer.length % 3 != 0)


def _pair(opener: Run, closer: Run) -> None:
    used = 2 if opener.left >= 2 and closer.left >= 2 else 1
    tag = "s" if opener.marker == "~" else "strong" if used == 2 else "em"
    pair = Pair(tag, opener.marker * used)
    opener.opens += (pair,)
    closer.closes += (pair,)
    opener.left -= used
    closer.left -= used


@lru_cache(1_024)
def _kind(character: str) -> tuple[bool, bool, bool]:
    """Whether the character is (space, punctuation or a symbol, of a script without spaces (2))."""
    is_mark = unicodedata.category(character)[0] in "PS"
    return character.isspace(), is_mark, is_written_without_spaces(character)
