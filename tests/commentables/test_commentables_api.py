"""Commentables over REST and on streams, on each kind of database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.commentables import commentables
from tests.support.database import read_seq
from tests.support.people import delete, read_json, write
from tests.support.people_without_http import ARTICLE as TOPIC
from tests.support.problems import read_problem
from tests.support.sse import open_stream

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley

FIELDS = {"id", "commentable_type", "commentable_id", "title", "locked", "comments_count", "url", "seq", "created_seq"}


async def look(client: httpx.AsyncClient, *topics: str) -> dict[str, Any]:
    return read_json(await client.get("/api/commentables/", params={"topic": list(topics)}), 200)


async def test_a_guest_reads_several_commentables_in_the_requested_order(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await write(alice, "One")
    await write(alice, "Two")
    answer = await look(guest, "Page/about", "Article/1", "Article/1")
    assert answer.keys() == {"commentables", "cursor", "before"}
    page, article = answer["commentables"]
    assert page.keys() == article.keys() == FIELDS
    assert (page["commentable_type"], page["commentable_id"], page["comments_count"], page["seq"]) == (
        "Page", "about", 0, 0,
    )  # fmt: skip
    assert (article["comments_count"], article["title"], article["locked"], article["seq"]) == (2, "", False, 2)
    assert await read_seq(site_parley, "Commentable/Page/about") is None, "reading creates no row"


@pytest.mark.parametrize("topics", [[], ["nonsense"], ["User/1"], ["Article/"], [f"Article/{n}" for n in range(101)]])
async def test_an_invalid_list_of_topics_is_refused(guest: httpx.AsyncClient, topics: list[str]) -> None:
    read_problem(await guest.get("/api/commentables/", params={"topic": topics}), 422, "topic")


async def test_a_hundred_commentables_can_be_read_at_once(guest: httpx.AsyncClient) -> None:
    assert len((await look(guest, *(f"Article/{n}" for n in range(100))))["commentables"]) == 100


async def test_a_stream_of_counts_gets_no_comments(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    cursor = (await look(guest, "Article/1", "Article/2"))["cursor"]
    first = await write(alice, "One")
    topics = ("Commentable/Article/1", "Commentable/Article/2")
    async with open_stream(guest, *topics, cursor=cursor) as stream:
        assert (await stream.until("global.commentable.create.success")).model["comments_count"] == 1
        await write(alice, "Elsewhere", commentable_id="2")
        other = (await stream.until("global.commentable.create.success")).model
        assert (other["commentable_id"], other["comments_count"]) == ("2", 1)
        await delete(alice, first)
        gone = await stream.until("global.commentable.update.success")
        assert (gone.model["commentable_id"], gone.model["comments_count"]) == ("1", 0)
        assert not [block for block in stream.blocks if ".comment." in block.event]


async def test_an_old_snapshot_and_later_changes_equal_a_fresh_snapshot(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """The law for commentables, from before the row exists until it is locked."""
    old = await look(guest, "Article/1")
    state = old["commentables"][0]
    comment = await write(alice, "One")
    async with open_stream(guest, "Commentable/Article/1", cursor=old["cursor"]) as stream:
        state = (await stream.until("create.success")).model
        await delete(alice, comment)
        async with site_parley.writing(TOPIC.about) as write_, commentables.changing(write_, TOPIC) as commentable:
            commentable.locked, commentable.title = True, "A title"
        while not state["locked"]:
            state = (await stream.until("update.success")).model
    assert state == (await look(guest, "Article/1"))["commentables"][0]
