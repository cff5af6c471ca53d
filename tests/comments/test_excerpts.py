"""Excerpts: the beginning of a comment as plain text in one line."""

from __future__ import annotations

import pytest

from app.comments import markdown
from app.comments.excerpts import MAX_LENGTH, MAX_READ, MAX_TAGS, excerpt


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Well, @alice & <b>", "Well, @alice & <b>"),
        ("**So** _it_ `is`,\nand so\n\n- one\n- two", "So it is, and so one two"),
        ("https://example.com/?a>b is it", "https://example.com/?a>b is it"),
        ("> Is it?\n> - > - > yes\n\nIt is", "It is"),
        ("> Is it?", "Is it?"),
        ("word " * 16, ("word " * 16).strip()),
        ("words " * 16, f"{('words ' * 13).strip()}…"),
        ("w" * 81, f"{'w' * 80}…"),
        ("See " + "w" * 81, f"See {'w' * 76}…"),
    ],
)
def test_people_read_the_beginning_of_a_comment(text: str, shown: str) -> None:
    assert excerpt(markdown.html(text)) == shown


@pytest.mark.parametrize("text", ["&" * 10_000, "**a** " * 1_666, "> a\n\nb\n\n" * 1_000, "`" * 10_000])
def test_the_longest_comments_have_an_excerpt_of_bounded_length(text: str) -> None:
    html = markdown.html(text)
    assert 0 < len(excerpt(html)) <= MAX_LENGTH + 1
    assert excerpt(html) == excerpt(f"{html}{'<p>more</p>' * MAX_TAGS}{'x' * MAX_READ}")
