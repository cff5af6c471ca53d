"""Bidi: isolates people's words inside Parley's sentences, so that a right-to-left name does not reorder the rest.

In HTML, `dir="auto"` does this. Plain text (titles, mails) needs the characters FSI and PDI (Unicode UAX 9, 2.4).
"""

from __future__ import annotations

import unicodedata

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"

_TURNING = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI"})


def isolated(words: str) -> str:
    """The words, isolated if any of their characters affects the direction of the text around them."""
    if not any(unicodedata.bidirectional(character) in _TURNING for character in words):
        return words
    return f"{FIRST_STRONG_ISOLATE}{words}{POP_ISOLATE}"
