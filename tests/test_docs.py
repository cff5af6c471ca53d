"""What the documents name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`(?:tests/)?((?:\w+/)*test_\w+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("document", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    named = NAMED.findall(document.read_text())
    assert named
    missing = [f"{path}::{name}" for path, name in named if not _exists(ROOT / "tests" / path, name)]
    assert not missing


def _exists(path: Path, name: str) -> bool:
    return path.exists() and (not name or name in _tests_in(path))


def _tests_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
