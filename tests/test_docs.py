"""The documentation names existing tests, and its diffs fit the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.manual import blocks_of, copy_checkout

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`(?:tests/)?((?:\w+/)*test_\w+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("document", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    named = NAMED.findall(document.read_text())
    assert named
    missing = [f"{path}::{name}" for path, name in named if not _exists(ROOT / "tests" / path, name)]
    assert not missing


def test_every_block_of_extending_md_fits_the_files_that_it_changes(tmp_path: Path) -> None:
    """`browser/test_extending.py` runs the result. This test is faster, for a change of one of those files."""
    copy_checkout(ROOT, tmp_path)
    for block in blocks_of(ROOT / "docs" / "extending.md"):
        block.apply(tmp_path)


def _exists(path: Path, name: str) -> bool:
    return path.exists() and (not name or name in _tests_in(path))


def _tests_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
