"""Back-off: each wait is longer than the last one, up to the longest."""

from __future__ import annotations

from datetime import timedelta

from app.backoff import backoff


def test_each_wait_is_a_multiple_of_the_last_one_up_to_the_longest() -> None:
    first, longest = timedelta(seconds=5), timedelta(seconds=100)
    waits = [backoff(failures, first, longest, factor=4).total_seconds() for failures in range(1, 6)]
    assert waits == [5, 20, 80, 100, 100]
    assert backoff(2, first, longest) == timedelta(seconds=10)


def test_after_a_million_failures_the_wait_is_the_longest() -> None:
    assert backoff(1_000_000, timedelta(minutes=1), timedelta(hours=1), factor=4) == timedelta(hours=1)
