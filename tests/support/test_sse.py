"""The parser of event streams works as a browser's. Every test of a stream depends on it."""

from __future__ import annotations

import pytest

from tests.support.sse import Block, Parser

STREAM = (
    b"\xef\xbb\xbfdata: one\ndata:two\n\n"
    b": a comment\n\n"
    b"id: 7\r\n\r\n"
    b"event: x\rdata\r\r"
    b"retry: 5\n\n"
    b"retry: soon\n\n"
    b"id: \0\n\n"
    b"unknown: y\n\n"
    b"data: \xc3\xa9\n\n"
    b"data: never finished"
)
BLOCKS = [
    Block(data="one\ntwo"),
    Block(id="7"),
    Block(event="x", data=""),
    Block(retry=5),
    Block(data="é"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_blocks_are_the_same_for_any_size_of_chunks(size: int) -> None:
    parser = Parser()
    chunks = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [block for chunk in chunks for block in parser.feed(chunk)] == BLOCKS
