"""Likes over REST and on streams, on each kind of database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

import pytest

from app.likes import likes
from tests.support.people import ARTICLE, delete, edit, me, read_json, write
from tests.support.problems import read_problem
from tests.support.sse import open_stream

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site


@pytest.fixture(autouse=True)
def _numbers_are_published_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likes, "PUBLISH_INTERVAL", timedelta(0))


FIELDS = {"id", "comment_id", "commentable_type", "commentable_id", "seq", "created_seq"}


def path(comment: dict[str, Any]) -> str:
    return f"/api/comments/{comment['id']}/like"


async def mine(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    return read_json(await client.get("/api/likes/", params={**ARTICLE, **query}), 200)


async def likes_of(client: httpx.AsyncClient, comment: dict[str, Any]) -> int:
    return read_json(await client.get(f"/api/comments/{comment['id']}"), 200)["likes_count"]


async def test_alice_likes_a_comment_of_bob(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    comment = await write(bob, "Mind the step.")
    like = read_json(await alice.put(path(comment)), 200)
    user = await me(alice)
    assert user
    assert like.keys() == FIELDS
    assert like["id"] == str(uuid5(UUID(user["id"]), comment["id"])), "a browser can compute this id"
    assert (like["comment_id"], like["commentable_type"], like["commentable_id"]) == (comment["id"], "Article", "1")
    assert read_json(await alice.put(path(comment)), 200) == like
    assert await likes_of(bob, comment) == 1
    assert (await mine(alice))["likes"] == [like]
    assert (await mine(bob))["likes"] == []
    for _ in range(2):
        response = await alice.delete(path(comment))
        assert (response.status_code, response.content) == (204, b"")
    assert await likes_of(bob, comment) == 0
    assert (await mine(alice))["likes"] == []


async def test_a_response_has_the_seq_from_which_the_like_counts(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "Mind the step.")
    seqs = []
    for act in (alice.delete, alice.put, alice.put, alice.delete, alice.delete):
        response = await act(path(comment))
        now = read_json(await alice.get(f"/api/comments/{comment['id']}"), 200)
        assert response.headers["Parley-Counted"] == str(now["seq"])
        seqs.append(int(response.headers["ETag"].strip('"')))
    never, *liked, gone, still = seqs
    assert never == 0
    assert liked == [liked[0]] * 2
    assert gone == still == liked[0] + 1, "the seq of the like"


async def test_a_like_is_no_conflict_for_an_edit(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    comment = await write(alice, "One")
    await bob.put(path(comment))
    seen = {"If-Match": f'"{comment["seq"]}"'}
    changed = read_json(await alice.put(f"/api/comments/{comment['id']}", json={"body": "Two"}, headers=seen), 200)
    assert (changed["likes_count"], changed["body"]) == (1, "Two")


async def test_a_like_of_a_missing_comment_is_refused(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    comment = await write(alice, "Hello")
    for act in (guest.put, guest.delete):
        read_problem(await act(path(comment)), 401)
    read_problem(await guest.get("/api/likes/", params=ARTICLE), 401)
    for unknown in (str(uuid4()), "nonsense"):
        read_problem(await alice.put(f"/api/comments/{unknown}/like"), 404)
        read_problem(await alice.delete(f"/api/comments/{unknown}/like"), 404)
    read_problem(await alice.get(path(comment)), 405)
    read_problem(await alice.get("/api/likes/"), 422, "commentable_type", "commentable_id")
    read_problem(
        await alice.get("/api/likes/", params={**ARTICLE, "commentable_type": "User"}), 422, "commentable_type"
    )
    other = {"Parley-User": str(uuid4())}
    read_problem(await alice.put(path(comment), headers=other), 401)
    await delete(alice, comment)
    read_problem(await alice.put(path(comment)), 404)
    read_problem(await alice.delete(path(comment)), 404)


async def test_a_deleted_comment_shows_no_likes(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    comment = await write(alice, "Hello")
    async with open_stream(bob, "Article/1") as stream:
        await stream.until("heartbeat")
        await bob.put(path(comment))
        await stream.until("global.comment.update.success")
        await delete(alice, comment)
        gone = await stream.until("global.comment.destroy.success")
    assert gone.model.keys() == {"id", "commentable_type", "commentable_id", "seq", "created_seq"}


async def test_only_alice_gets_her_like_and_everybody_gets_the_count(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site
) -> None:
    comment = await write(bob, "Mind the step.")
    async with (
        open_stream(alice, "Article/1") as hers,
        open_stream(alice, "Article/1") as in_her_other_tab,
        open_stream(bob, "Article/1") as his,
        open_stream(guest, "Article/1") as theirs,
    ):
        for stream in (hers, in_her_other_tab, his, theirs):
            await stream.until("heartbeat")
        like = read_json(await alice.put(path(comment)), 200)
        for stream in (hers, in_her_other_tab):
            assert (await stream.until("global.like.create.success")).model == like
        for stream in (his, theirs):
            assert (await stream.until("global.comment.update.success")).model["likes_count"] == 1
        await alice.delete(path(comment))
        gone = (await hers.until("global.like.destroy.success")).model
        assert gone.keys() == FIELDS - {"comment_id"}
        assert (gone["id"], gone["created_seq"]) == (like["id"], like["created_seq"])
        again = read_json(await alice.put(path(comment)), 200)
        assert (await hers.until("global.like.create.success")).model == again
        await edit(bob, comment, "The end")
        for stream in (his, theirs):
            await stream.until(lambda block: block.data is not None and "The end" in block.data)
            assert not [block for block in stream.blocks if ".like." in block.event]


@pytest.mark.both_databases
async def test_many_people_who_like_at_once_and_twice_are_counted_once_each(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    comment = await write(alice, "Hello")
    answers = await asyncio.gather(*(client.put(path(comment)) for client in (alice, bob) * 4))
    assert {answer.status_code for answer in answers} == {200}
    assert await likes_of(alice, comment) == 2


async def test_likes_in_another_thread_are_not_in_this_list(alice: httpx.AsyncClient) -> None:
    here, there = await write(alice, "Here"), await write(alice, "There", commentable_id="2")
    await alice.put(path(there))
    await alice.put(path(here))
    assert [like["comment_id"] for like in (await mine(alice))["likes"]] == [here["id"]]
    assert [like["comment_id"] for like in (await mine(alice, commentable_id="2"))["likes"]] == [there["id"]]


async def test_no_like_is_lost_between_the_snapshot_and_the_stream(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "Hello")
    snapshot = await mine(alice)
    assert snapshot["before"] is None
    like = read_json(await alice.put(path(comment)), 200)
    async with open_stream(alice, "Article/1", cursor=snapshot["cursor"]) as stream:
        assert (await stream.until("global.like.create.success")).model == like
