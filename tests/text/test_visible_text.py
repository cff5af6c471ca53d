"""Visible text: the characters that readers can see."""

from __future__ import annotations

import pytest

from app.text.visible_text import is_written_without_spaces, shows_something


@pytest.mark.parametrize(
    "text",
    [
        "", " \t\r\n\u00a0\u2003\u3000", "\u200b", "\u200d\u200c\ufeff\u2060", "\u2800", "\u3164", "\u115f\u1160",
        "\uffa0", "\u00ad", "\ufe0f", "\U000e0100", "\U000e0041", "\u0301\u0301", "\u20e3", "\u0903", "\u034f",
        "\u202e\u2066\u2069", "\u2028\u2029", "\x07", "\ufffc", "\U0001d159",
    ],
)  # fmt: skip
def test_readers_see_nothing_of_an_invisible_text(text: str) -> None:
    assert not shows_something(text)


@pytest.mark.parametrize("text", [".", "a", "\u200b1", "🦜", "\U0001fae9", "e\u0301", "谢", "ﷺ", "_", "\ue000", "™️"])
def test_readers_see_something_of_a_visible_text(text: str) -> None:
    assert shows_something(text)


def test_some_scripts_put_no_space_between_words() -> None:
    assert all(map(is_written_without_spaces, "谢ありトー한ไทยລາ"))
    assert not any(map(is_written_without_spaces, "aé1Яא_.。、！＠ ｂ"))
