"""A page of the docs as changes to a checkout: each of its blocks is a whole file, or a diff of one.

The file is named in a line of its own before the block, `like/this.py`, and holds for several blocks in a row. A diff
has no line numbers: what it keeps and what it removes must be found, in one place alone.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"`([\w./]+)`")
_CODE = ("app", "migrations", "alembic.ini", "biome.json", "build.mjs", "package-lock.json", "package.json")
_CODE += ("pyproject.toml",)
_NOT_COPIED = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Block:
    path: str
    language: str
    lines: tuple[str, ...]

    @property
    def is_diff(self) -> bool:
        return self.language == "diff"

    @property
    def written(self) -> int:
        """How many lines somebody has to write: neither blank nor there already."""
        lines = [line[1:] for line in self.lines if line.startswith("+")] if self.is_diff else self.lines
        return sum(1 for line in lines if line.strip())

    def apply(self, checkout: Path) -> None:
        path = checkout / self.path
        if self.is_diff:
            path.write_text(_replaced(path, self._side("-"), self._side("+")))
        else:
            assert not path.exists(), f"{self.path} is there already"
            path.parent.mkdir(exist_ok=True)
            path.write_text(_text(self.lines))

    def _side(self, sign: str) -> str:
        unknown = [line for line in self.lines if line and line[0] not in " +-"]
        assert not unknown, f"{self.path}: neither kept, added nor removed: {unknown}"
        return _text(line[1:] for line in self.lines if not line or line[0] in (" ", sign))


def blocks_of(page: Path) -> Iterator[Block]:
    """In the order of the page. One that does not say which file it is would be code that nobody runs."""
    path: str | None = None
    lines = iter(page.read_text().splitlines())
    for line in lines:
        if line.startswith("```"):
            code = tuple(iter(lambda: next(lines), "```"))
            assert path, f"whose code is this? {code[0]}"
            yield Block(path, line[3:], code)
        elif line:
            named = _NAME.fullmatch(line)
            path = named[1] if named else None


def copy_checkout(source: Path, target: Path) -> None:
    """What it takes to run and to check the app."""
    for name in _CODE:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=_NOT_COPIED)
        else:
            shutil.copy(source / name, target)
    (target / "node_modules").symlink_to(source / "node_modules")


def _replaced(path: Path, old: str, new: str) -> str:
    text = f"\n{path.read_text()}"
    found = text.count(f"\n{old}")
    assert found == 1, f"{path.name} has this {found} times:\n{old}"
    return text.replace(f"\n{old}", f"\n{new}")[1:]


def _text(lines: Iterator[str] | tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)
