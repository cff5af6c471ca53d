"""The chaos runner: people who write and people who read, and a nemesis that breaks whatever is between them.

    python -m tests.chaos --seconds 600 --seed 7 [--database postgresql|sqlite] [--workers 2]

Real PostgreSQL, Redis, workers and TCP. In the end everything is healed, and what was promised is held against what
happened; the exit code is 1 where they differ. What breaks, when and for how long, and what everybody does, is a
function of the seed; how the processes' steps fall between each other is not, so a seed repeats a run, not its luck.

1. `world` is what there is, `proxy` the roads in it. 2. `writers` fill the `ledger`, `readers` keep a `replica` each.
3. `nemesis` is the table of faults, `schedule` draws from it. 4. `witness` is what the database saw, `leftovers` what
nobody took along; the `verdict` compares. 5. `trial` is the whole, `report` what is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.nemesis import faults_for
from tests.chaos.report import Report
from tests.chaos.schedule import plan
from tests.chaos.trial import Trial
from tests.chaos.world import Life


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Break everything; lose nothing.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--logs", type=Path, help="a directory for the workers' logs")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    command = (
        f"python -m tests.chaos --seconds {given.seconds:g} --seed {given.seed}"
        f" --database {given.database} --workers {given.workers}"
    )
    episodes = plan(given.seed, given.seconds, faults_for(given.database))
    report = Report(command, say=lambda line: print(line, flush=True))
    trial = Trial(given.seed, given.database, episodes, report, given.workers)
    asyncio.run(trial.run())
    if given.logs:
        keep_logs(given.logs, trial.world.lives)
    return 1 if report.violations else 0


def keep_logs(directory: Path, lives: Sequence[Life]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for life in lives:
        (directory / f"{life.name.replace(' ', '-')}.log").write_text(life.log)


if __name__ == "__main__":
    sys.exit(main())
