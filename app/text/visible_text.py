"""Visible text: whether a text shows anything, and which scripts are written without spaces.

A text of spaces, format characters, blank letters or lone combining marks looks empty. The categories are Unicode's
(UAX #44). The blank characters below are letters and symbols by category, but show nothing.
"""

from __future__ import annotations

import re
import unicodedata

# Characters of a visible category that show nothing: the Hangul fillers, the Braille blank, the null notehead, the
# object replacement character, and the code points that Unicode reserves for invisible characters (UAX #44,
# Default_Ignorable_Code_Point).
_BLANK = re.compile("[\u115f\u1160\u2065\u2800\u3164\uffa0\ufff0-\ufff8\ufffc\U0001d159\U000e0000-\U000e0fff]")

# Control, format, surrogate, mark, and separator. Private and unassigned characters show a box. Newer emoji are
# unassigned in an older Python.
_UNSEEN = ("Cc", "Cf", "Cs", "Mn", "Mc", "Me", "Zs", "Zl", "Zp")

# Scripts that put no space between words, or between a name and its particle: Thai, Lao, Tibetan, Burmese, Hangul,
# Khmer, Tai, Javanese, Kana, Bopomofo, Han and Yi.
_WITHOUT_SPACES = re.compile(
    "[\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17d3\u1950-\u19df\u1a20-\u1aaf"
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u312f\u3131-\u318e"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c\ua960-\ua97c\ua980-\ua9c0\ua9e0-\ua9fe"
    "\uaa60-\uaa7f\uac00-\ud7fb\uf900-\ufaff\uff66-\uffdc\U0001aff0-\U0001b16f\U00020000-\U000323af]"
)


def is_visible(character: str) -> bool:
    """Whether this character is visible by itself."""
    return unicodedata.category(character) not in _UNSEEN and not _BLANK.match(character)


def in_one_line(text: str) -> str:
    """The text with one space in place of each run of line breaks, spaces and characters that cannot be printed."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def shows_something(text: str) -> bool:
    return any(map(is_visible, text))


def is_written_without_spaces(character: str) -> bool:
    """Whether this character's script has no spaces between words."""
    return _WITHOUT_SPACES.match(character) is not None
