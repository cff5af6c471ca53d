"""People's words inside our sentences: isolated, so that a name written from right to left does not reorder the rest.

In HTML, `dir="auto"` does this. Plain text (titles, mails) needs the characters FSI and PDI (Unicode UAX 9, 2.4).
"""

from __future__ import annotations

import unicodedata

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"

_TURNING = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI"})


def isolated(words: str) -> str:
    """The words, in isolates if any of their characters has an influence on the direction of what stands around."""
    if not any(unicodedata.bidirectional(character) in _TURNING for character in words):
        return words
    return f"{FIRST_STRONG_ISOLATE}{words}{POP_ISOLATE}"
