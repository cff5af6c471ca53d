"""Folding: the server and the page fold the same texts."""

from __future__ import annotations

import json
from pathlib import Path

from app.comments.folding import is_long

TEXTS = Path(__file__).resolve().parents[1] / "js" / "folded_texts.json"  # also read by tests/js/folding.test.js


def test_the_server_folds_the_same_texts_as_the_page() -> None:
    for case in json.loads(TEXTS.read_text()):
        assert is_long(case["text"] * case["times"]) is case["folded"], case
