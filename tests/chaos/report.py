"""The report: the printed events and results of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.ledger import Ledger, Outcome
from tests.chaos.readers import Reader
from tests.chaos.schedule import Episode, Spell
from tests.chaos.world import SWEEP, Life

MAX_VIOLATIONS = 40  # that are printed


@dataclass
class Report:
    """Prints each line at once. `command` repeats the run."""

    command: str
    say: Callable[[str], None]
    violations: list[str] = field(default_factory=list)
    heals: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by fault
    faults: Counter[str] = field(default_factory=Counter)

    def begin(self, episodes: Sequence[Episode], who: Sequence[object]) -> None:
        spells = sum(len(episode.spells) for episode in episodes)
        self.say(f"{self.command}\n{len(who)} people, {spells} faults in {len(episodes)} episodes\n")

    def fault(self, spell: Spell, began: float, lasted: float) -> None:
        self.faults[spell.fault.name] += 1
        self.say(f"{_clock(began)}  {spell.fault.name:<62} {lasted:5.1f} s")

    def healed(self, episode: Episode, seconds: float | None) -> None:
        """Seconds from the removal of the fault until everybody caught up; None if they did not."""
        if seconds is None:
            self.say(f"{'':9}not level again in time")
            return
        for spell in episode.spells:
            self.heals[spell.fault.name].append(seconds)
        self.say(f"{'':9}all level again {seconds:.1f} s after the heal: {seconds / SWEEP:.1f} sweeps")

    def violation(self, *what: str) -> None:
        self.violations += what

    def end(self, ledger: Ledger, readers: Sequence[Reader], lives: Sequence[Life], late: int) -> None:
        counts: Counter[str] = Counter()
        for reader in readers:
            counts.update(reader.counts)
        self.say("")
        self.say(
            f"writes     {len(ledger.asks)}: {ledger.count(Outcome.ACKNOWLEDGED)} acknowledged, "
            f"{ledger.count(Outcome.REFUSED)} refused, {ledger.count(Outcome.UNCERTAIN)} uncertain; "
            f"{ledger.sent - len(ledger.asks)} sent again; {late} lost edits came late"
        )
        self.say(f"readers    {len(readers)}: {', '.join(f'{counts[name]} {name}' for name in sorted(counts))}")
        ends = [life.seconds_to_end for life in lives if life.seconds_to_end is not None]
        self.say(f"workers    {len(lives)} processes; SIGTERM to the end at most {max(ends, default=0):.1f} s")
        self._print_recoveries()
        self._conclude()

    def _print_recoveries(self) -> None:
        """One line for each fault. The time of two faults at once counts for both."""
        self.say(f"\n{'':62}  times  sweeps to heal: mean, most")
        for name, seconds in sorted(self.heals.items()):
            mean = sum(seconds) / len(seconds)
            self.say(f"{name:<62}  {len(seconds):5d}  {mean / SWEEP:20.1f}  {max(seconds) / SWEEP:4.1f}")
        self.say("")

    def _conclude(self) -> None:
        for what in self.violations[:MAX_VIOLATIONS]:
            self.say(f"VIOLATION  {what}")
        if len(self.violations) > MAX_VIOLATIONS:
            self.say(f"           and {len(self.violations) - MAX_VIOLATIONS} more")
        self.say(f"\n{'FAILED' if self.violations else 'Nothing was lost.'}   {self.command}")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:3d}:{seconds % 60:04.1f}"
