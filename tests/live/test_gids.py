from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.comments import comments, posting
from app.live.gids import BadGid, Gid, GidNotFound
from app.live.service import Parley
from app.live.topics import Topic
from tests.support.people_without_http import create_viewer


def test_a_gid_is_parsed_from_its_text() -> None:
    text = "gid://parley/Comment/0b7f?topic=Article%2F1&seq=57"
    assert Gid.parse(text) == Gid("Comment", "0b7f", {"topic": "Article/1", "seq": "57"})
    assert str(Gid.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "gid://parley/Comment", "gid://parley/comment/1", "gid://other/Comment/1", "gid://parley/Comment/1/2",
     "http://parley/Comment/1", "gid://parley/Comment/1?a= b", "gid://parley/Comment/" + "1" * 201, "\0"],
)  # fmt: skip
def test_a_text_that_is_no_gid_is_refused(text: str) -> None:
    with pytest.raises(BadGid):
        Gid.parse(text)


@given(st.text())
def test_any_text_is_a_gid_or_refused(text: str) -> None:
    with suppress(BadGid):
        Gid.parse(text)


async def test_a_gid_finds_the_current_state_of_its_comment(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    comment, _ = await posting.post(parley, alice, Topic("Article", "1"), "hello", uuid4())
    gid = Gid("Comment", str(comment.id))
    await comments.edit(parley, alice, comment.id, "hello again")

    found = await parley.locate(gid)
    assert isinstance(found, comments.Comment)
    assert found.body == "hello again"

    await comments.delete(parley, alice, comment.id)
    with pytest.raises(GidNotFound):
        await parley.locate(gid)


@pytest.mark.parametrize("gid", [Gid("Nothing", str(uuid4())), Gid("Comment", "7")])
async def test_a_gid_of_an_unknown_model_or_with_an_invalid_id_is_refused(parley: Parley, gid: Gid) -> None:
    with pytest.raises(BadGid):
        await parley.locate(gid)


async def test_a_gid_without_a_row_is_not_found(parley: Parley) -> None:
    with pytest.raises(GidNotFound):
        await parley.locate(Gid("Comment", str(uuid4())))
