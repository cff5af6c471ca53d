"""The size budget names the files that exceed it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.budget import MAX_PART, Budget, check

PAGE = Budget("page", 1_000, ("js/app.js", "css/app.css"))


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build of a page with 900 bytes."""
    script = {"file": "app-1.js", "imports": ["chunk-2.js"]}
    manifest = {"entries": {"js/app.js": script, "css/app.css": {"file": "app-3.css", "imports": []}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for name, size in {"app-1.js": 600, "chunk-2.js": 200, "app-3.css": 100}.items():
        (tmp_path / f"{name}.br").write_bytes(b"x" * size)
    return tmp_path


def test_a_page_within_its_budget_passes(build: Path) -> None:
    assert check([PAGE], build) == []


def test_a_page_over_its_budget_is_reported_with_its_files(build: Path) -> None:
    (build / "chunk-2.js.br").write_bytes(b"x" * 301)
    (line,) = check([PAGE], build)
    assert "page (js/app.js + css/app.css) is 1,001 bytes in br, 1 over its limit of 1,000" in line
    assert "chunk-2.js 301" in line


def test_an_entry_without_a_budget_has_the_limit_of_a_part(build: Path) -> None:
    script = Budget("script", 1_000, ("js/app.js",))
    assert check([script], build) == []
    (build / "app-3.css.br").write_bytes(b"x" * (MAX_PART + 1))
    (line,) = check([script], build)
    assert line.startswith("The part css/app.css is 5,001 bytes")
