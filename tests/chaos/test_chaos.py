"""A short run of the runner: a fault of each family, on real servers and two workers. `make chaos` runs longer."""

from __future__ import annotations

import pytest

from tests.chaos.nemesis import Family, faults_for
from tests.chaos.report import Report
from tests.chaos.schedule import Episode, Spell
from tests.chaos.trial import Trial

AT_ONCE = (  # seconds from the beginning, which faults, and for how long
    (1.0, ("PostgreSQL's connections are cut in the middle of commits", "Redis is killed, and comes back empty"), 2.0),
    (5.0, ("a worker gets SIGKILL, and is replaced", "people are in a black hole"), 1.0),
)


def episodes(database: str, seed: int) -> list[Episode]:
    known = {fault.name: fault for fault in faults_for(database)}
    spells = [(at, [Spell(known[name], 0.0, lasts, seed) for name in names if name in known])
              for at, names, lasts in AT_ONCE]  # fmt: skip
    return [Episode(at, tuple(some)) for at, some in spells]


@pytest.mark.parametrize("database", ["postgresql", pytest.param("sqlite", marks=pytest.mark.extended)])
async def test_a_short_run_with_faults_loses_nothing(database: str, seed: int) -> None:
    report = Report(f"python -m tests.chaos --seed {seed} --database {database}", print)
    await Trial(seed, database, episodes(database, seed), report).run()
    assert not report.violations
    assert report.faults.total() == (4 if database == "postgresql" else 3)


def test_the_short_run_has_a_fault_of_each_family() -> None:
    assert {spell.fault.family for episode in episodes("postgresql", 0) for spell in episode.spells} == set(Family)
