"""Markdown: what people may write, and what they may not."""

from __future__ import annotations

import pytest

from app.models.markdown import html, is_plain, mentions


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Two\nlines", "<p>Two<br>\nlines</p>"),
        ("*so* **very** `x < 1` ~~not~~", "<p><em>so</em> <strong>very</strong> <code>x &lt; 1</code> <s>not</s></p>"),
        ("# no heading", "<p># no heading</p>"),
        ("<b>no</b>", "<p>&lt;b&gt;no&lt;/b&gt;</p>"),
        ("Hi @bob, hi", '<p>Hi <span class="mention">@bob</span>, hi</p>'),
        ("me@example.com", "<p>me@example.com</p>"),
    ],
)
def test_a_text_is_shown_as(text: str, shown: str) -> None:
    assert html(text) == shown


def test_links_say_that_somebody_else_wrote_them() -> None:
    for text in ("[here](https://example.com/)", "https://example.com/"):
        assert 'rel="ugc nofollow noopener"' in html(text)
    assert "<a" not in html("[here](javascript:alert)")


def test_who_is_mentioned_is_not_who_stands_in_code() -> None:
    assert list(mentions("@bob and @Al_Smith, not `@carol`, @bob again")) == ["bob", "Al_Smith"]


@pytest.mark.parametrize(
    "text", ["Two  words\n\nand more", " a ", "# a", "<b>&amp;</b>", "2 * 3 * 4", "a_b_c", "\ufeff🦜\x01"]
)
def test_words_alone_are_plain(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize("text", ["*a*", "1. a", "> a", "`a`", "\\*a\\*", "https://example.com", "@bob", "a\\\nb"])
def test_whatever_is_shown_otherwise_than_it_was_typed_is_not_plain(text: str) -> None:
    assert not is_plain(text)


def test_a_link_has_no_more_than_its_address() -> None:
    assert "title" not in html('[here](https://example.com/ "click me")')
