"""The schedule: the faults, their times and durations. The seed alone decides it, so a run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.nemesis import Fault

TWO_AT_ONCE = 0.35  # probability of a second fault at the same time
CALM = (3.0, 8.0)  # seconds between two episodes; longer if people need longer to catch up
FIRST = 2.0  # seconds without faults at the beginning


@dataclass(frozen=True)
class Spell:
    """One fault: it begins `offset` seconds after its episode, and lasts `seconds`."""

    fault: Fault
    offset: float
    seconds: float
    dice: int  # the seed of the fault's own choices


@dataclass(frozen=True)
class Episode:
    """One or two faults, beginning `at` seconds after the start, and the calm after them."""

    at: float
    spells: tuple[Spell, ...]

    @property
    def end(self) -> float:
        return self.at + max(spell.offset + spell.seconds for spell in self.spells)


def plan(seed: int, seconds: float, faults: Sequence[Fault], calm: tuple[float, float] = CALM) -> list[Episode]:
    """Episodes for about this time. Every fault occurs once before one is repeated."""
    dice = Random(f"{seed} nemesis")
    drawn = _one_after_the_other(faults, dice)
    episodes: list[Episode] = []
    at = FIRST
    while at < seconds:
        spells = [_spell(next(drawn), 0.0, dice)]
        if dice.random() < TWO_AT_ONCE and len({fault.family for fault in faults}) > 1:
            spells.append(_company(spells[0], drawn, dice))
        episode = Episode(round(at, 1), tuple(spells))
        episodes.append(episode)
        at = episode.end + dice.uniform(*calm)
    return episodes


def _company(first: Spell, drawn: Iterator[Fault], dice: Random) -> Spell:
    """A fault of another family, which begins while the first one lasts."""
    second = next(fault for fault in drawn if fault.family != first.fault.family)
    return _spell(second, dice.uniform(0, first.seconds), dice)


def _spell(fault: Fault, offset: float, dice: Random) -> Spell:
    return Spell(fault, round(offset, 1), round(dice.uniform(*fault.lasts), 1), dice.getrandbits(32))


def _one_after_the_other(faults: Sequence[Fault], dice: Random) -> Iterator[Fault]:
    while True:
        yield from dice.sample(faults, len(faults))
