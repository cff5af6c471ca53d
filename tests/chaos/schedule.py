"""The schedule: which fault comes when, and for how long. A function of the seed alone, so a run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.nemesis import Fault

TWO_AT_ONCE = 0.35  # how often a fault has company
CALM = (3.0, 8.0)  # seconds from one episode's end to the next; longer where people take longer to be level again
FIRST = 2.0  # seconds of peace at the beginning


@dataclass(frozen=True)
class Spell:
    """One fault: it begins `offset` seconds after its episode, and lasts `seconds`."""

    fault: Fault
    offset: float
    seconds: float
    dice: int  # the seed of what it chooses for itself


@dataclass(frozen=True)
class Episode:
    """One or two faults, beginning `at` seconds after the start, and the calm after them."""

    at: float
    spells: tuple[Spell, ...]

    @property
    def end(self) -> float:
        return self.at + max(spell.offset + spell.seconds for spell in self.spells)


def plan(seed: int, seconds: float, faults: Sequence[Fault], calm: tuple[float, float] = CALM) -> list[Episode]:
    """Episodes for about this long. Every fault once before any comes again."""
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
