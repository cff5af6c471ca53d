"""Style sheets: one sheet does not override another by mistake."""

from __future__ import annotations

import re
from collections import Counter

from app.settings import PACKAGE


def test_each_animation_has_one_meaning() -> None:
    """All style sheets share the names of keyframes, and a later one replaces an earlier one of the same name."""
    sheets = [path.read_text() for path in (PACKAGE / "static/css").glob("*.css")]
    names = Counter(name for sheet in sheets for name in re.findall(r"@keyframes ([\w-]+)", sheet))
    assert [name for name, count in names.items() if count > 1] == []
