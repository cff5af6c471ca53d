"""Mention syntax: finds `@name` in a text, and the names that it may mean.

1. An address has no mention: there is none in `a@b.c`, `@@bob`, `/@bob` or `@bob@example.com`.
2. A name ends at the end of a word, in a script without spaces after any letter. The longest known name counts.
3. A name may have spaces in it, so the words after a name may be a part of a longer name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from app.accounts.user import MARKS, MAX_USERNAME_LENGTH, is_letter
from app.text.visible_text import is_written_without_spaces

AT = "@＠﹫"
MAX_WINDOWS = 100  # signs in one text after which names are searched
MAX_CANDIDATES = 1_000  # names that one text may mean
MAX_MENTION_LENGTH = 2 * MAX_USERNAME_LENGTH  # characters as typed; composing letters makes fewer
MAX_UNDERSCORES = 30  # characters of markup beside a mention

_SIGN = re.compile(f"[{AT}]")
_JOINERS = frozenset("\u200c\u200d")  # inside words of Persian and Indian languages
_BETWEEN = MARKS | _JOINERS | {"’"}


def candidates(text: str) -> list[str]:
    """All strings in `text` that may be mentioned names, as typed, each once. Code and links are searched, too."""
    windows: set[str] = set()
    found: dict[str, None] = {}
    for sign in _SIGN.finditer(text):
        window = text[sign.end() : sign.end() + MAX_MENTION_LENGTH + 1]
        if window in windows or not may_begin(text, sign.start()):
            continue
        if len(windows) == MAX_WINDOWS or len(found) >= MAX_CANDIDATES:
            break
        windows.add(window)
        found |= dict.fromkeys(text[sign.end() : end] for end in _ends(text, sign.end()))
    return list(found)[:MAX_CANDIDATES]


def _ends(text: str, start: int) -> Iterator[int]:
    """The indexes at which a name that starts here may end (2) (3)."""
    marks = 1
    for at in range(start, min(len(text), start + MAX_MENTION_LENGTH)):
        if is_letter(text[at]):
            marks = 0
            if may_end(text, at + 1):
                yield at + 1
        elif text[at] in _BETWEEN and at > start and marks < 2:
            marks += 1
        else:
            return


def may_begin(text: str, at: int) -> bool:
    """Whether the sign at `at` may begin a mention (1)."""
    start = at
    while start and text[start - 1] == "_" and at - start < MAX_UNDERSCORES:
        start -= 1
    if start == 0:
        return True
    before = text[start - 1]
    if before in AT or before == "/":
        return False
    if before == ".":
        return start == 1 or text[start - 2].isspace()
    # In Hebrew and Arabic some prepositions are written without a space before the next word.
    joins = is_written_without_spaces(before) or unicodedata.bidirectional(before) in ("R", "AL")
    return joins or not is_letter(before)


def may_end(text: str, end: int) -> bool:
    """Whether a name may end before `end` (1) (2)."""
    after = end
    while after < len(text) and text[after] == "_" and after - end < MAX_UNDERSCORES:
        after += 1
    if after == len(text):
        return True
    next_one = text[after]
    if not is_letter(next_one):
        goes_on = next_one in _JOINERS and after + 1 < len(text) and is_letter(text[after + 1])
        return next_one not in AT and not goes_on
    if unicodedata.category(next_one)[0] == "M":
        return False
    return is_written_without_spaces(next_one) or (after == end and is_written_without_spaces(text[end - 1]))
