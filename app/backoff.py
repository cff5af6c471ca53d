"""Back-off: the wait after a failure, which grows with each further failure."""

from __future__ import annotations

from datetime import timedelta

MAX_STEPS = 20  # up to which a wait grows: a timedelta has a maximum, and `longest` is reached earlier


def backoff(failures: int, first: timedelta, longest: timedelta, factor: int = 2) -> timedelta:
    """The wait after the nth failure in a row: `first`, then `factor` times the last one, and at most `longest`."""
    wait: timedelta = first * factor ** min(failures - 1, MAX_STEPS)
    return min(wait, longest)
