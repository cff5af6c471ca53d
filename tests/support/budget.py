"""The size budget of the front end: `python -m tests.support.budget` fails if a page loads more than its budget.

Sizes are those of the compressed files of the build, in the form that most browsers get (brotli). `embed.js` counts in
gzip, because that is the limit that is promised to hosts. If a limit is exceeded, load the part when it is needed
(`import()`), or raise the limit here and say why in the commit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).resolve().parents[2] / "app" / "static" / "build"


@dataclass(frozen=True)
class Budget:
    """A limit for some entries of the manifest together, with all that they import at once."""

    what: str
    limit: int  # bytes, compressed
    entries: Sequence[str]
    form: str = "br"


# The goal for a thread's page is 70,000. Somebody who is signed in gets the editor, too, once the page is live.
BUDGETS = (
    Budget("scripts and styles of a thread's page", 70_000, ("js/app.js", "css/app.css", "js/thread/editor_view.js")),
    Budget("script of a thread's page", 59_500, ("js/app.js",)),
    Budget("scripts and styles of an embedded thread", 69_500, ("js/app.js", "css/embed.css", "js/embed/host.js")),
    Budget("style sheet of every page", 9_000, ("css/app.css",)),
    Budget("script in pages of others", 3_000, ("js/embed/embed.js",), "gz"),
    Budget("service worker", 2_000, ("js/offline/service_worker.js",)),
    Budget("style sheet of /docs", 1_500, ("css/docs.css",)),
)


# Compressed bytes of any other entry: a part that a page loads when it needs it, without the files that it has already.
MAX_PART = 5_000


def sizes(budget: Budget, build: Path = BUILD) -> dict[str, int]:
    """The compressed size of each file of this budget, by its name."""
    entries = json.loads((build / "manifest.json").read_text())["entries"]
    files = {file for name in budget.entries for file in (entries[name]["file"], *entries[name]["imports"])}
    return {file: (build / f"{file}.{budget.form}").stat().st_size for file in sorted(files)}


def check(budgets: Sequence[Budget] = BUDGETS, build: Path = BUILD) -> list[str]:
    """A line for each budget that is exceeded."""
    lines = [
        f"The part {name} is {size:,} bytes in br, over the limit of {MAX_PART:,} for parts."
        for name, size in _parts(budgets, build).items()
        if size > MAX_PART
    ]
    for budget in budgets:
        files = sizes(budget, build)
        if (total := sum(files.values())) > budget.limit:
            each = ", ".join(f"{name} {size:,}" for name, size in files.items())
            lines.append(
                f"The {budget.what} ({' + '.join(budget.entries)}) is {total:,} bytes in {budget.form},"
                f" {total - budget.limit:,} over its limit of {budget.limit:,}: {each}."
            )
    return lines


def _parts(budgets: Sequence[Budget], build: Path) -> dict[str, int]:
    """The compressed size of each entry that has no budget."""
    entries = json.loads((build / "manifest.json").read_text())["entries"]
    parts = sorted(set(entries) - {name for budget in budgets for name in budget.entries})
    return {name: (build / f"{entries[name]['file']}.br").stat().st_size for name in parts}


def main() -> int:
    problems = check()
    for line in problems:
        print(f"Size budget: {line}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
