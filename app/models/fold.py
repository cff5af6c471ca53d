"""Which comments a page folds, so that a text of ten thousand lines does not bury the others.

The rule reads the text alone, as the browser's does (fold.js), so that the page does not move when the scripts run.
"""

from __future__ import annotations

from math import ceil

MOST_LINES = 40  # shown without folding
LINE = 80  # UTF-16 code units, as browsers count, that fit in one line of a wide window


def is_long(text: str) -> bool:
    """Whether a comment's text is folded."""
    return sum(max(1, ceil(_units(line) / LINE)) for line in text.split("\n")) > MOST_LINES


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
