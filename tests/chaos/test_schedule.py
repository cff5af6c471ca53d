"""The seed decides the schedule and the scripts."""

from __future__ import annotations

from itertools import islice, pairwise

from tests.chaos.nemesis import FAULTS, Family, faults_for
from tests.chaos.schedule import plan
from tests.chaos.writers import script


def test_equal_seeds_give_equal_schedules_and_others_differ() -> None:
    assert plan(7, 600, FAULTS) == plan(7, 600, FAULTS)
    assert plan(7, 600, FAULTS) != plan(8, 600, FAULTS)


def test_every_fault_occurs_in_ten_minutes() -> None:
    for seed in range(20):
        spells = [spell.fault for episode in plan(seed, 600, FAULTS) for spell in episode.spells]
        assert set(spells) == set(FAULTS)


def test_two_faults_at_once_are_of_two_families_and_overlap() -> None:
    pairs = [episode.spells for episode in plan(7, 6_000, FAULTS) if len(episode.spells) == 2]
    assert pairs
    for first, second in pairs:
        assert first.fault.family != second.fault.family
        assert second.offset <= first.seconds


def test_episodes_follow_each_other() -> None:
    episodes = plan(7, 600, FAULTS)
    assert all(before.end < after.at for before, after in pairwise(episodes))
    assert episodes[-1].at < 600


def test_sqlite_has_no_faults_of_a_server() -> None:
    assert {fault.family for fault in faults_for("sqlite")} == {Family.REDIS, Family.WORKER, Family.NETWORK}


def test_each_person_has_a_script_of_their_own() -> None:
    assert list(islice(script("alice", 7), 50)) == list(islice(script("alice", 7), 50))
    assert list(islice(script("alice", 7), 50)) != list(islice(script("bob", 7), 50))
