"""Folding: decides which comments a page folds, so that a text of ten thousand lines does not push the others away.

The rule depends on the text alone, and the browser uses the same rule (folding.js). So the page does not move when
scripts run.
"""

from __future__ import annotations

from math import ceil

MAX_LINES = 40  # shown without folding
UNITS_PER_LINE = 80  # UTF-16 code units, as browsers count, that fit in one line of a wide window


def is_long(text: str) -> bool:
    return sum(max(1, ceil(_units(line) / UNITS_PER_LINE)) for line in text.split("\n")) > MAX_LINES


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
