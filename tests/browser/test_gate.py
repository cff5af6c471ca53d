"""The gate's list of browser tests names existing tests, and covers each row of the table in docs/browser.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.browser.gate import GATE, WITHOUT_GATE

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "browser.md"


def test_the_gate_lists_existing_tests_only() -> None:
    tests = {
        path.name: {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS)}
        for path in HERE.glob("test_*.py")
    }
    unknown = [
        f"{module}::{name}"
        for module, names in GATE.items()
        for name in names
        if name.partition("[")[0] not in tests.get(module, set())
    ]
    assert unknown == []


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_each_row_of_the_table_in_the_docs_has_a_test_in_the_gate() -> None:
    rows = re.findall(r"^\|.*\| (`tests/browser/.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) > 15
    modules = [set(re.findall(r"tests/browser/(test_\w+\.py)", row)) for row in rows]
    assert [row for row in modules if not row & {*GATE, *WITHOUT_GATE}] == []
