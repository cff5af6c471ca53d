"""Counts: how long things took, in buckets, and since when a seq is waited for."""

from __future__ import annotations

from app.live.stats import MOST, Awaited, Lags


def test_a_lag_counts_in_the_first_bucket_that_holds_it() -> None:
    lags = Lags((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 3.0):
        lags.add(seconds)
    assert lags.counts == [2, 1, 1]
    assert lags.seconds == 3.65


def test_a_seq_is_waited_for_until_the_feed_has_reached_it() -> None:
    now = [10.0]
    lags = Lags((1.0, 5.0))
    awaited = Awaited(lags, clock=lambda: now[0])
    awaited.tell(7)
    now[0] = 13.0
    awaited.tell(8)
    awaited.reach(6)
    assert sum(lags.counts) == 0
    awaited.reach(7)
    assert (lags.counts, lags.seconds) == ([0, 1, 0], 3.0)
    now[0] = 13.5
    awaited.reach(9)
    assert (lags.counts, lags.seconds) == ([1, 1, 0], 3.5)


def test_what_never_was_is_forgotten_and_not_counted() -> None:
    lags = Lags()
    awaited = Awaited(lags)
    awaited.tell(1_000_000)
    awaited.forget()
    awaited.reach(2_000_000)
    assert sum(lags.counts) == 0


def test_there_is_a_bound_to_what_is_waited_for() -> None:
    lags = Lags()
    awaited = Awaited(lags)
    for seq in range(MOST + 5):
        awaited.tell(seq)
    awaited.reach(MOST + 5)
    assert sum(lags.counts) == MOST
