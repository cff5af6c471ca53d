"""Threads: pages for each kind of viewer, and the order in which they are rendered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from app.comments import posting, threads
from app.comments.comments import Comment
from app.live.viewers import GUEST, Viewer
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, hide_comment, post_comment

if TYPE_CHECKING:
    from app.live.service import Parley


async def reply(parley: Parley, author: Viewer, to: Comment, body: str) -> Comment:
    comment, _ = await posting.post(parley, author, ARTICLE, body, uuid4(), to.id)
    return comment


async def list_in_order(parley: Parley, viewer: Viewer, limit: int = 50) -> list[str]:
    """The comments of this viewer's page from top to bottom."""
    async with parley.reading() as reading:
        page = await threads.page(reading, viewer, ARTICLE, limit=limit)
    snapshot = {
        "comments": [threads.render(comment, viewer) for comment in page.comments],
        "ancestors": [threads.render_ancestor(comment, viewer) for comment in page.ancestors],
    }
    return ["> " * len(one["path"]) + one.get("body", "(gone)") for one in threads.in_page_order(snapshot)]


async def test_a_comment_is_followed_by_its_replies(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    one, two = [await post_comment(parley, alice, body) for body in ("One", "Two")]
    answer = await reply(parley, alice, one, "On one")
    await reply(parley, alice, two, "On two")
    await reply(parley, alice, one, "On one, too")
    await reply(parley, alice, answer, "On that")
    assert await list_in_order(parley, GUEST) == ["One", "> On one", "> > On that", "> On one, too", "Two", "> On two"]
    assert await list_in_order(parley, GUEST, limit=1) == ["One", "> On one", "> > On that"]
    await delete_comment(parley, alice, one)
    assert await list_in_order(parley, GUEST, limit=1) == ["(gone)", "> On one", "> > On that"]


async def test_only_the_author_and_moderators_see_a_hidden_comment(parley: Parley) -> None:
    alice, bob, carol = [await create_viewer(parley, name) for name in ("alice", "bob", "carol")]
    one = await post_comment(parley, alice, "One")
    await reply(parley, bob, one, "On one")
    await hide_comment(parley, one.id)
    for viewer in (GUEST, bob):
        assert await list_in_order(parley, viewer) == ["(gone)", "> On one"]
    for viewer in (alice, replace(carol, moderator=True)):
        assert await list_in_order(parley, viewer) == ["One", "> On one"]


async def test_a_reply_names_the_author_that_it_replies_to(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    one = await post_comment(parley, alice, "One")
    answer = await reply(parley, alice, one, "On one")
    shown = [threads.render(comment, GUEST) for comment in (one, answer)]
    assert [each["answers"] for each in threads.in_page_order({"comments": shown, "ancestors": []})] == [None, "alice"]
    assert [each["answers"] for each in threads.in_page_order({"comments": shown[1:], "ancestors": []})] == [None]
