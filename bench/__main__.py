"""python -m bench [scenario …]: run these scenarios, or all of them, and update docs/bench.md with their results.

`python -m bench report` runs nothing. It updates the page, and its plots if matplotlib is installed.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop

from bench import (
    edge,
    fanout,
    followers,
    growth,
    journey,
    million,
    openings,
    page,
    plots,
    report,
    sign_out,
    slow_texts,
    storm,
    writes,
)
from bench.machine import describe

RESULTS = Path(__file__).parent / "results"
SCENARIOS: Mapping[str, Callable[[argparse.Namespace], Coroutine[Any, Any, dict[str, Any]]]] = {
    "fan-out": lambda given: fanout.run(given.rounds, given.sessions or fanout.SIZES, given.before),
    "storm": lambda given: storm.run(given.sessions or storm.SIZES, given.before),
    "openings": lambda given: openings.run(),
    "slow-texts": lambda given: slow_texts.run(),
    "writes": lambda given: writes.run(given.rounds, given.before),
    "sign-out": lambda given: sign_out.run(given.rounds, given.before),
    "followers": lambda given: followers.run(given.rounds),
    "edge": lambda given: edge.run(given.sessions or edge.SIZES),
    "growth": lambda given: growth.run(given.rounds),
    "journey": lambda given: journey.run(given.rounds),
    "page": lambda given: page.run(given.rounds, given.before),
    "million": lambda given: million.run(given.out),  # computed from the results of the others
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"{', '.join(SCENARIOS)}, report; by default, all scenarios")
    parser.add_argument("--rounds", type=int, default=5, help="the number of rounds; the result is their median")
    parser.add_argument("--sessions", type=int, nargs="*", help="the numbers of sessions, for edge, fan-out and storm")
    parser.add_argument(
        "--before",
        type=Path,
        help="an older checkout to compare with this one, for fan-out, storm, page, sign-out and writes",
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="the directory for the results")
    given = parser.parse_args()
    if unknown := set(given.scenario) - {*SCENARIOS, "report"}:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return given


def main() -> int:
    given = arguments()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))  # inherited by all child processes
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.scenario or SCENARIOS:
        if name == "report":
            continue
        began, machine = time.monotonic(), describe()
        found = uvloop.run(SCENARIOS[name](given))
        result = {"scenario": name, "machine": machine, "seconds": round(time.monotonic() - began), **found}
        (given.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    if given.out == RESULTS or "report" in given.scenario:
        update_page(given.out)
    return 0


def update_page(results: Path) -> None:
    report.write(results)
    if find_spec("matplotlib"):
        plots.draw(results)


if __name__ == "__main__":
    sys.exit(main())
