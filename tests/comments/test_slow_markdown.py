"""No text is slow: short fragments of markup, repeated to the longest comment, as in the search of `make test-all`."""

from __future__ import annotations

from itertools import islice

import pytest

from app.comments.comments import MAX_BODY_LENGTH
from tests.comments.slow_texts import milliseconds, texts

pytestmark = pytest.mark.extended


# The best CPU time of this thread: five times the search's limit, because a busy machine is slower. A quadratic rule
# takes 100 to 1,400 ms.
BOUND_MS = 250.0

KNOWN = (
    "//a:", "://", "<http://-[", "![[](", "__a_", "*a*", "*a", "[", "- a\n", "> ", "`a`", "_a_ ", "\n\na", "~~a~~",
    "<a>", "a\n", "\\*", "@bob ", "@小明", "[a](http://b)", "](http://", "http://a。", "*a **b", "```a\n", "  - a\n",
    "((", "1. a\n",
)  # fmt: skip


@pytest.mark.parametrize("fragment", KNOWN)
def test_a_fragment_that_was_slow_is_not(fragment: str) -> None:
    assert milliseconds((fragment * MAX_BODY_LENGTH)[:MAX_BODY_LENGTH], BOUND_MS) <= BOUND_MS


def test_a_short_search_finds_no_slow_text() -> None:
    for text in islice(texts(seed=14), 150):
        assert milliseconds(text, BOUND_MS) <= BOUND_MS, text[:60]
