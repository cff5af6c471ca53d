"""The chaos runner: people write and read, and a nemesis breaks the servers and networks between them.

    python -m tests.chaos --seconds 600 --seed 7 [--database postgresql|sqlite] [--workers 2]

PostgreSQL, Redis, workers and TCP are real. At the end all faults are removed, and the runner compares the promises
with the results; the exit code is 1 if they differ. The seed decides the faults with their times and durations, and
what everybody does. It does not decide how the steps of processes interleave, so a run with the same seed may differ.

1. `world` has the servers, and `proxy` the connections between them. 2. `writers` fill the `ledger`, and each of the
`readers` has a `replica`. 3. `nemesis` is the table of faults, and `schedule` draws from it. 4. `witness` records the
commits of the database, `leftovers` finds unclosed resources, and `verdict` compares. 5. `trial` runs everything, and
`report` prints it.
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
