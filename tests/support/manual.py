"""A page of the docs as changes of a checkout: each of its code blocks is a whole file, or a diff of one.

A line of its own before the block names the file, `like/this.py`, for all blocks until the next text. A diff has no
line numbers: its kept and removed lines together must occur exactly once in the file.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"`([\w./]+)`")
_CODE = (
    "app", "migrations", "alembic.ini", "biome.json", "build.mjs", "package-lock.json", "package.json",
    "pyproject.toml",
)  # fmt: skip
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
        """The number of lines that the reader writes: no blank ones, and none that the file already has."""
        lines = [line[1:] for line in self.lines if line.startswith("+")] if self.is_diff else self.lines
        return sum(1 for line in lines if line.strip())

    def apply(self, checkout: Path) -> None:
        path = checkout / self.path
        if self.is_diff:
            path.write_text(_replaced(path, self._side("-"), self._side("+")))
        else:
            assert not path.exists(), f"{self.path} exists already"
            path.parent.mkdir(exist_ok=True)
            path.write_text(_text(self.lines))

    def _side(self, sign: str) -> str:
        unknown = [line for line in self.lines if line and line[0] not in " +-"]
        assert not unknown, f"{self.path}: lines of the diff without a sign: {unknown}"
        return _text(line[1:] for line in self.lines if not line or line[0] in (" ", sign))


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks in the order of the page. Each must name its file, because otherwise no test would run it."""
    path: str | None = None
    lines = iter(page.read_text().splitlines())
    for line in lines:
        if line.startswith("```"):
            code = tuple(iter(lambda: next(lines), "```"))
            assert path, f"this block names no file: {code[0]}"
            yield Block(path, line[3:], code)
        elif line:
            named = _NAME.fullmatch(line)
            path = named[1] if named else None


def copy_checkout(source: Path, target: Path) -> None:
    """Copy the files that running and checking the app needs."""
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
