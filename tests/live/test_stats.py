"""Statistics: durations in buckets, and the time since which a feed has waited for a seq."""

from __future__ import annotations

from app.live.stats import MAX_PENDING_SEQS, Lags, PendingSeqs


def test_a_lag_counts_in_the_first_bucket_that_it_fits() -> None:
    lags = Lags((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 3.0):
        lags.add(seconds)
    assert lags.counts == [2, 1, 1]
    assert lags.seconds == 3.65


def test_a_seq_is_pending_until_the_feed_has_reached_it() -> None:
    now = [10.0]
    lags = Lags((1.0, 5.0))
    pending = PendingSeqs(lags, clock=lambda: now[0])
    pending.add(7)
    now[0] = 13.0
    pending.add(8)
    pending.reach(6)
    assert sum(lags.counts) == 0
    pending.reach(7)
    assert (lags.counts, lags.seconds) == ([0, 1, 0], 3.0)
    now[0] = 13.5
    pending.reach(9)
    assert (lags.counts, lags.seconds) == ([1, 1, 0], 3.5)


def test_a_pending_seq_that_never_existed_is_forgotten_and_not_counted() -> None:
    lags = Lags()
    pending = PendingSeqs(lags)
    pending.add(1_000_000)
    pending.forget()
    pending.reach(2_000_000)
    assert sum(lags.counts) == 0


def test_the_number_of_pending_seqs_is_bounded() -> None:
    lags = Lags()
    pending = PendingSeqs(lags)
    for seq in range(MAX_PENDING_SEQS + 5):
        pending.add(seq)
    pending.reach(MAX_PENDING_SEQS + 5)
    assert sum(lags.counts) == MAX_PENDING_SEQS
