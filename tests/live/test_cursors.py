from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.cursors import MAX_LENGTH, BadCursor, Cursor, Cursors, write_cursor
from app.live.topics import Topic

ARTICLE, PAGE = Topic("Article", "1"), Topic("Page", "about")


def test_a_cursor_is_parsed_from_its_text() -> None:
    cursor = Cursor.parse(write_cursor("e1", {ARTICLE: 57, PAGE: 0}))
    assert (cursor.epoch, cursor.of(ARTICLE), cursor.of(PAGE)) == ("e1", 57, 0)
    assert cursor.of(Topic("Article", "2")) is None


def test_equal_positions_have_equal_texts() -> None:
    assert write_cursor("e1", {ARTICLE: 1, PAGE: 2}) == write_cursor("e1", {PAGE: 2, ARTICLE: 1})


def test_a_hundred_topics_fit_into_a_header() -> None:
    text = write_cursor("e1", {Topic("Article", "ü" * 190 + str(number)): 2**63 - 1 for number in range(100)})
    assert len(text) < MAX_LENGTH
    assert len(Cursor.parse(text).positions) == 100


@pytest.mark.parametrize(
    "text",
    ["", "lost", "e1", "e1~", "e1~x.1", "e 1", "e1~bWxP2c0Qk1A.-1", "e1~bWxP2c0Qk1A.99999999999999999999", "e1" * 9_000,
     "e1~bWxP2c0Qk1A.9999999999999999999", "e1~bWxP2c0Qk1A.1\n", "e1~bWxP2c0Qk1A.١"],
)  # fmt: skip
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.parse(text)


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(BadCursor):
        Cursor.parse(text)


def test_the_smallest_position_of_several_cursors_counts() -> None:
    cursors = Cursors([write_cursor("e", {ARTICLE: 9}), write_cursor("e", {ARTICLE: 7, PAGE: 1})])
    assert cursors.start(ARTICLE) == 7
    assert cursors.start(PAGE) == 1
    assert cursors.start(Topic("Article", "2")) is None


def test_one_cursor_ahead_of_the_counter_is_enough_to_be_ahead() -> None:
    cursors = Cursors([write_cursor("e", {ARTICLE: 9}), write_cursor("e", {ARTICLE: 7})])
    assert cursors.are_ahead(ARTICLE, 8)
    assert not cursors.are_ahead(ARTICLE, 9)
    assert not cursors.are_ahead(PAGE, 0)


def test_cursors_belong_to_an_epoch_only_together() -> None:
    assert Cursors([]).are_of("e")
    assert Cursors([write_cursor("e", {ARTICLE: 9})]).are_of("e")
    assert not Cursors([write_cursor("e", {ARTICLE: 9}), write_cursor("f", {ARTICLE: 9})]).are_of("e")
