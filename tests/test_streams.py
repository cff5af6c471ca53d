"""Streams over real HTTP, on each kind of database: the events that people get."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import socket
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.requests import Request

from app.http.sse_response import PushResponse
from app.live.cursors import Cursor, write_cursor
from app.live.gids import Gid
from app.live.stream.session import Session
from app.live.topics import Topic
from tests.support.database import bump_seq, count_rows, set_epoch
from tests.support.people import delete, edit, person, read_json, sign_in, snapshot, write
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.sse import Block, Parser, Stream, open_stream
from tests.support.waiting import cancel_tasks, wait_until

if TYPE_CHECKING:
    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.redis import RedisServer
    from tests.support.serving import Site

CREATED = "global.comment.create.success"
UPDATED = "global.comment.update.success"
DESTROYED = "global.comment.destroy.success"
ONE = Topic("Article", "1")


async def wait_for_redis(*parleys: Parley) -> None:
    await wait_until(lambda: all(parley.hints.flowing for parley in parleys), "the hints to flow")


async def polled(client: httpx.AsyncClient, *topics: str, **query: Any) -> list[Block]:
    """The blocks of a stream that ends after its first batch."""
    headers = {"Last-Event-ID": query.pop("last_event_id")} if "last_event_id" in query else {}
    response = await client.get("/streams", params={"topic": topics, "once": 1, **query}, headers=headers)
    assert response.status_code == 200, response.text
    return list(Parser().feed(response.content))


def changes(blocks: list[Block]) -> list[tuple[str, str]]:
    """(event, body) of each change; the body of a deletion is ""."""
    return [
        (block.event, block.model.get("body", ""))
        for block in blocks
        if block.data and block.event.startswith("global.")
    ]


async def cursor_of(client: httpx.AsyncClient, commentable_id: str = "1") -> str:
    return str((await snapshot(client, commentable_id=commentable_id))["cursor"])


def moved(cursor: str, topic: Topic, by: int) -> str:
    """The same cursor with another position."""
    parsed = Cursor.parse(cursor)
    return write_cursor(parsed.epoch, {topic: (parsed.of(topic) or 0) + by})


# -- the first block, and the headers -----------------------------------------------------------------------


async def test_a_stream_begins_with_its_position(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write(alice, "Before")
    async with open_stream(guest, "Article/1") as stream:
        first = await stream.next()
        assert first.event == "heartbeat"
        assert first.id == first.json()["cursor"] == await cursor_of(guest)
        assert first.retry
        assert 500 <= first.retry <= 5_000
        await write(alice, "After")
        assert (await stream.next_event()).model["body"] == "After"


async def test_the_headers_of_a_stream_keep_proxies_from_buffering(guest: httpx.AsyncClient) -> None:
    async with open_stream(guest, "Article/1") as stream:
        headers = stream.response.headers
    assert headers["content-type"].partition(";")[0] == "text/event-stream"
    assert {"no-store", "no-transform"} <= set(re.split(r",\s*", headers["cache-control"]))
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers
    assert "content-encoding" not in headers


async def test_head_of_a_stream_ends(guest: httpx.AsyncClient, site_parley: Parley) -> None:
    response = await guest.head("/streams", params={"topic": "Article/1"})
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (await guest.head("/streams")).status_code == 422
    assert (await guest.get("/healthz")).status_code == 200  # on the same connection
    assert len(site_parley.feeds) == 0


async def test_a_stream_answers_with_the_slash(guest: httpx.AsyncClient) -> None:
    async with guest.stream("GET", "/streams/", params={"topic": "Article/1"}) as response:
        assert response.status_code == 200


async def test_heartbeats_are_repeated(alice: httpx.AsyncClient, settings: Settings) -> None:
    from app.main import create_app

    async with (
        serving(create_app(settings.model_copy(update={"heartbeat_seconds": 0.05}))) as site,
        site.client() as guest,
        open_stream(guest, "Article/1") as stream,
    ):
        blocks = [await stream.next() for _ in range(4)]
    assert {block.event for block in blocks} == {"heartbeat"}
    assert all(block.id == block.json()["cursor"] for block in blocks)


# -- changes ------------------------------------------------------------------------------------------------


async def test_bob_gets_the_comment_of_alice_and_its_edit_and_deletion(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    async with open_stream(bob, "Article/1") as stream:
        await stream.next()
        comment = await write(alice, "There is a stepp")
        created = await stream.until(CREATED)
        assert created.model == {**comment, "current_user_can_edit": False}
        edited = await edit(alice, comment, "There is a step")
        updated = await stream.until(UPDATED)
        assert updated.model == {**edited, "current_user_can_edit": False}
        await delete(alice, comment)
        destroyed = await stream.until(DESTROYED)
        assert destroyed.model == {
            "id": comment["id"],
            "commentable_type": "Article",
            "commentable_id": "1",
            "seq": 3,
            "created_seq": 1,
        }
        assert len({created.id, updated.id, destroyed.id}) == 3
        assert (await snapshot(bob))["cursor"].split("~")[1] in (destroyed.id or "").split("~")
        await write(alice, "The next change")
        assert (await stream.next_event()).model["body"] == "The next change"


async def test_the_bytes_of_a_stream_are_as_documented(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    before = await cursor_of(guest)
    comment = {**(await write(alice, "Ünïcode \u2028 and\nlines\r\n")), "current_user_can_edit": False}
    after = await cursor_of(guest)
    response = await guest.get("/streams", params={"topic": "Article/1", "cursor": before, "once": 1})
    found = re.fullmatch(
        rb"retry: \d+\nid: (?P<first>\S+)\nevent: heartbeat\ndata: (?P<head>[^\n]+)\n\n"
        rb"id: (?P<id>\S+)\nevent: global\.comment\.create\.success\ndata: (?P<data>[^\r\n]+)\n\n"
        rb"retry: \d+\n\n",
        response.content,
    )
    assert found, response.content
    assert (found["first"].decode(), found["id"].decode()) == (before, after)
    assert json.loads(found["head"]) == {"cursor": after}
    assert json.loads(found["data"]) == {"payload": {"model": comment}}


async def test_each_person_sees_whether_they_may_edit(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site
) -> None:
    async with AsyncExitStack() as open_streams:
        other_tab = await open_streams.enter_async_context(site.client(cookies=alice.cookies))
        streams = {
            reader: await open_streams.enter_async_context(open_stream(reader, "Article/1"))
            for reader in (alice, other_tab, bob, guest)
        }
        for stream in streams.values():
            await stream.next()
        comment = await write(alice, "Mine")
        for reader, may_edit in ((alice, True), (other_tab, True), (bob, False), (guest, False)):
            assert (await streams[reader].until(CREATED)).model == {**comment, "current_user_can_edit": may_edit}
        reply = await write(bob, "Mine too")
        for reader, may_edit in ((alice, False), (other_tab, False), (bob, True), (guest, False)):
            assert (await streams[reader].until(CREATED)).model == {**reply, "current_user_can_edit": may_edit}


async def test_a_like_is_an_update(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley, other_parley: Parley
) -> None:
    comment = await write(alice, "Likeable")
    await wait_for_redis(site_parley, other_parley)
    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        await bump_seq(other_parley, comment)
        liked = (await stream.until(UPDATED)).model
        assert (liked["likes_count"], liked["seq"], liked["edited"]) == (1, 2, False)


async def test_a_like_of_a_long_comment_is_sent_as_a_number(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    before = await write(alice, "Long ago " + "x" * 9_000)
    cursor = (await snapshot(guest))["cursor"]
    async with open_stream(guest, "Article/1", cursor=cursor) as stream:
        await stream.next()
        comment = await write(alice, "y" * 10_000)
        await stream.until(CREATED)
        for liked in (before, comment):
            read_json(await bob.put(f"/api/comments/{liked['id']}/like"), 200)
            update = await stream.until(UPDATED)
            assert len(update.data or "") < 400
            assert {**liked, **update.model} == {
                **read_json(await guest.get(f"/api/comments/{liked['id']}"), 200), "current_user_can_edit": True,
            }  # fmt: skip
        text = await edit(alice, comment, "Short")
        assert (await stream.until(UPDATED)).model == {**text, "current_user_can_edit": False}


async def test_a_stream_gets_no_changes_of_other_topics(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        await write(alice, "Elsewhere", commentable_id="2")
        await write(alice, "Elsewhere", commentable_type="Page")
        await write(alice, "Elsewhere", commentable_id="1/2")
        await write(alice, "Here")
        assert (await stream.until("create.success")).model["body"] == "Here"


async def test_two_topics_share_a_stream(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    async with open_stream(guest, "Article/1", "Page/about", "Article/1") as stream:
        await stream.next()
        for where in ({}, {"commentable_type": "Page", "commentable_id": "about"}, {}):
            comment = await write(alice, "Hello", **where)
            seen = await stream.until(CREATED)
            assert seen.model["id"] == comment["id"]
        page = await snapshot(guest, commentable_type="Page", commentable_id="about")
        assert stream.position
        position, ones = Cursor.parse(stream.position), Cursor.parse(await cursor_of(guest))
        assert position.positions == {**ones.positions, **Cursor.parse(page["cursor"]).positions}


async def test_any_commentable_is_live_at_once(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    for id_ in ("a/b&c=d#é", "🦜" * 200):
        async with open_stream(guest, f"Article/{id_}") as stream:
            await stream.next()
            await write(alice, "Hello", commentable_id=id_)
            assert (await stream.until(CREATED)).model["commentable_id"] == id_


async def test_a_stream_creates_no_row(guest: httpx.AsyncClient, site_parley: Parley) -> None:
    before = await count_rows(site_parley)
    async with open_stream(guest, "Article/1", "Page/never seen") as stream:
        await stream.next()
    assert await count_rows(site_parley) == before


# -- coming back --------------------------------------------------------------------------------------------


async def test_a_client_that_reconnects_gets_missed_changes(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    kept, changed, gone = [await write(alice, body) for body in ("Kept", "Changed", "Gone")]
    async with open_stream(bob, "Article/1") as stream:
        await stream.next()
        left_at = stream.position
    for number in range(5):
        await edit(alice, changed, f"Changed {number}")
    await delete(alice, gone)
    await write(alice, "New")
    assert left_at
    for query in ({"last_event_id": left_at}, {"cursor": left_at}):
        blocks = await polled(bob, "Article/1", **query)
        assert changes(blocks) == [(UPDATED, "Changed 4"), (DESTROYED, ""), (CREATED, "New")]
        assert blocks[0].event == "heartbeat"
        assert blocks[0].id == left_at
        assert blocks[0].json()["cursor"] == blocks[-2].id
    assert kept["id"] not in str(blocks)


async def test_a_comment_written_and_deleted_meanwhile_is_one_deletion(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    start = await cursor_of(guest)
    comment = await write(alice, "A secret")
    await delete(alice, comment)
    (destroyed,) = [block for block in await polled(guest, "Article/1", cursor=start) if block.event == DESTROYED]
    assert destroyed.model["id"] == comment["id"]
    assert "A secret" not in str(destroyed)


async def test_a_comment_written_and_edited_meanwhile_is_one_creation(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    start = await cursor_of(guest)
    await edit(alice, await write(alice, "Frist"), "First")
    assert changes(await polled(guest, "Article/1", cursor=start)) == [(CREATED, "First")]


async def test_a_stream_can_resume_from_every_position(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        for number in range(4):
            await write(alice, str(number))
            await stream.until(CREATED)
    positions = [block.id for block in stream.blocks]
    assert len(positions) == 5
    for number, position in enumerate(positions[:-1]):
        blocks = await polled(guest, "Article/1", last_event_id=position)
        assert [body for _, body in changes(blocks)] == [str(later) for later in range(number, 4)]


async def test_no_change_is_lost_between_a_snapshot_and_its_stream(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write(alice, "In the snapshot")
    seen = await snapshot(guest)
    await write(alice, "In between")
    async with open_stream(guest, "Article/1", cursor=seen["cursor"]) as stream:
        assert (await stream.until(CREATED)).model["body"] == "In between"
        await write(alice, "After")
        assert (await stream.until(CREATED)).model["body"] == "After"


async def test_the_last_event_id_overrides_the_cursor(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    """The URL of an EventSource keeps the cursor of the page load."""
    old = await cursor_of(guest)
    await write(alice, "Seen before")
    recent = await cursor_of(guest)
    await write(alice, "Missed")
    blocks = await polled(guest, "Article/1", last_event_id=recent, cursor=old)
    assert changes(blocks) == [(CREATED, "Missed")]
    blocks = await polled(guest, "Article/1", last_event_id=old, cursor=[recent, "nonsense"])
    assert [body for _, body in changes(blocks)] == ["Seen before", "Missed"]


async def test_the_smallest_position_of_several_cursors_counts(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    first = await cursor_of(guest)
    await write(alice, "One")
    second = await cursor_of(guest)
    await write(alice, "Two")
    other = await cursor_of(guest, "2")
    await write(alice, "Three", commentable_id="2")
    for cursors in ([first, second, other], [other, second, first], [second, other, first, second]):
        async with guest.stream(
            "GET", "/streams", params={"topic": ["Article/1", "Article/2"], "cursor": cursors}
        ) as response:
            stream = Stream(response)
            reading = asyncio.create_task(stream.read())
            bodies = [(await stream.until(CREATED)).model["body"] for _ in range(3)]
            await cancel_tasks(reading)
        assert sorted(bodies) == ["One", "Three", "Two"]
    assert changes(await polled(guest, "Article/1", cursor=[second, other])) == [(CREATED, "Two")]


async def test_a_topic_that_no_cursor_names_starts_at_the_head(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    start = await cursor_of(guest)
    await write(alice, "Known elsewhere", commentable_id="2")
    await write(alice, "Missed")
    async with open_stream(guest, "Article/2", "Article/1", cursor=start) as stream:
        assert (await stream.until(CREATED)).model["body"] == "Missed"
        await write(alice, "New", commentable_id="2")
        assert (await stream.until(CREATED)).model["body"] == "New"


async def test_a_cursor_is_valid_at_another_server(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, settings: Settings
) -> None:
    from app.main import create_app

    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
    await write(alice, "Missed")
    assert stream.position
    async with serving(create_app(settings)) as other, other.client() as same_guest:
        assert changes(await polled(same_guest, "Article/1", last_event_id=stream.position)) == [(CREATED, "Missed")]


async def test_a_stream_may_have_a_hundred_topics(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    topics = [f"Article/{number}" for number in range(100)]
    async with open_stream(guest, *topics) as stream:
        await stream.next()
    await write(alice, "Missed", commentable_id="77")
    assert stream.position
    assert changes(await polled(guest, *topics, last_event_id=stream.position)) == [(CREATED, "Missed")]
    read_problem(await guest.get("/streams", params={"topic": [*topics, "Article/100"]}), 422, "topic")
    read_problem(await guest.get("/streams", params={"topic": topics, "cursor": ["x"] * 101}), 422, "cursor")


# -- cursors that cannot be honoured ------------------------------------------------------------------------


async def assert_reset(
    client: httpx.AsyncClient, alice: httpx.AsyncClient, reason: str, topics: list[str], **query: Any
) -> None:
    """Check that the stream sends a `reset` with these topics, and continues from the head."""
    async with open_stream(client, "Article/1", "Article/2", **query) as stream:
        assert (await stream.next()).event == "heartbeat"
        reset = await stream.next()
        assert reset.event == "reset"
        assert reset.json() == {"topics": topics, "reason": reason}
        assert stream.position
        both = [Cursor.parse(await cursor_of(client, id_)) for id_ in ("1", "2")]
        assert Cursor.parse(stream.position).positions == {**both[0].positions, **both[1].positions}
        comment = await write(alice, "And on it goes")
        assert (await stream.until(CREATED)).model["id"] == comment["id"]
    later = await write(alice, "And on")
    blocks = await polled(client, "Article/1", "Article/2", last_event_id=stream.position)
    assert changes(blocks) == [(CREATED, later["body"])]
    assert "reset" not in {block.event for block in blocks}


MALFORMED = [
    "nonsense~",
    "~",
    "a~b.1",
    " ",
    "x" * 9_000,
    "é",
    "null",
    "a~AAAAAAAAAAA.99999999999999999999",
    "lost!",
    "-1.5",
]


async def test_a_malformed_cursor_is_a_reset(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write(alice, "Before")
    for cursor in ("nonsense~", "x" * 9_000):
        await assert_reset(guest, alice, "malformed", ["Article/1", "Article/2"], cursor=cursor)
    await assert_reset(guest, alice, "malformed", ["Article/1", "Article/2"], last_event_id="nonsense~")


async def test_a_stream_opens_with_any_cursor(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    for cursor in (
        *MALFORMED,
        "\0",
        "\ud800".encode("utf-8", "surrogatepass"),
        "\r\nid: x",
        await cursor_of(guest) + "~",
    ):
        url = "/streams?" + urlencode({"topic": "Article/1", "cursor": cursor})
        async with guest.stream("GET", url) as response:
            assert response.status_code == 200
            stream = Stream(response)
            reading = asyncio.create_task(stream.read())
            reset = await stream.until("reset")
            await cancel_tasks(reading)
        assert reset.json()["reason"] in ("malformed", "epoch"), cursor


async def test_one_bad_cursor_among_good_ones_is_a_reset(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    good = await cursor_of(guest)
    async with guest.stream("GET", "/streams", params={"topic": "Article/1", "cursor": [good, "~~"]}) as response:
        stream = Stream(response)
        reading = asyncio.create_task(stream.read())
        assert (await stream.until("reset")).json() == {"topics": ["Article/1"], "reason": "malformed"}
        await cancel_tasks(reading)


async def test_a_cursor_of_another_history_is_a_reset(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, other_parley: Parley
) -> None:
    old = await cursor_of(guest)
    await write(alice, "Before")
    await set_epoch(other_parley, "another")
    for query in ({"cursor": old}, {"last_event_id": old}):
        await assert_reset(guest, alice, "epoch", ["Article/1", "Article/2"], **query)


async def test_a_cursor_ahead_of_the_database_is_a_reset_of_its_topic(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write(alice, "Before")
    ahead = moved(await cursor_of(guest), ONE, by=5)
    await assert_reset(guest, alice, "ahead", ["Article/1"], cursor=ahead)


async def test_a_server_reads_the_database_before_it_resets_a_cursor(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, settings: Settings
) -> None:
    """The cursor is ahead of this process, which has missed a hint, and not of the database."""
    from app.main import create_app

    deaf = settings.model_copy(update={"redis_channel_name": f"deaf-{uuid4().hex}"})
    async with serving(create_app(deaf)) as other, other.client() as reader, open_stream(reader, "Article/1") as behind:
        await behind.next()
        await wait_for_redis(other.state.parley)
        comment = await write(alice, "Unheard of")
        async with open_stream(reader, "Article/1", cursor=await cursor_of(guest)) as stream:
            assert (await stream.next()).event == "heartbeat"
            await other.state.parley.touch(Gid("Comment", comment["id"]))
            assert (await stream.next_event()).model["body"] == "Unheard of"


async def test_a_new_history_reaches_open_streams(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley, other_parley: Parley
) -> None:
    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        await set_epoch(other_parley, "another")
        await site_parley.feeds.sweep()
        reset = await stream.until("reset")
        assert reset.json() == {"topics": ["Article/1"], "reason": "epoch"}
        assert reset.id == await cursor_of(guest)
        await write(alice, "And on it goes")
        await stream.until(CREATED)


# -- who may ------------------------------------------------------------------------------------------------


NO_TOPICS = ["", "Article", "Article/", "/1", "Planet/1", "article/1", "Article/\0", "Article/a\nb", "*", "User",
             "User/", "Article /1", "Artic\u0142e/1", "Article/" + "x" * 201, "Article/" + "x" * 50_000]  # fmt: skip


async def test_an_unknown_topic_is_refused(guest: httpx.AsyncClient, site_parley: Parley) -> None:
    for topic in NO_TOPICS:
        read_problem(await guest.get("/streams", params={"topic": topic}), 422, "topic")
        read_problem(await guest.get("/streams", params={"topic": ["Article/1", topic]}), 422, "topic")
    assert len(site_parley.feeds) == 0


async def test_a_guest_must_name_a_topic(guest: httpx.AsyncClient) -> None:
    read_problem(await guest.get("/streams"), 422, "topic")
    read_problem(await guest.get("/streams", params={"cursor": "x", "once": 1}), 422, "topic")


async def test_nobody_may_subscribe_to_the_account_of_another_person(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    alices = f"User/{(await alice.get('/api/session')).json()['user']['id']}"
    for listener in (bob, guest):
        read_problem(await listener.get("/streams", params={"topic": alices}), 403)
        read_problem(await listener.get("/streams", params={"topic": ["Article/1", alices]}), 403)
        for nobodys in (f"User/{uuid4()}", "User/None", "User/null", "User/1"):
            read_problem(await listener.get("/streams", params={"topic": nobodys}), 403)
    async with open_stream(alice, alices) as stream:
        await stream.next()


async def test_a_stream_of_alice_includes_her_own_account(
    alice: httpx.AsyncClient,
    bob: httpx.AsyncClient,
    guest: httpx.AsyncClient,
    site_parley: Parley,
    other_parley: Parley,
) -> None:
    user = (await alice.get("/api/session")).json()["user"]
    await wait_for_redis(site_parley, other_parley)
    async with (
        open_stream(alice) as hers,
        open_stream(alice, "Article/1") as hers_too,
        open_stream(bob, "Article/1") as bobs,
        open_stream(guest, "Article/1") as guests,
    ):
        for stream in (hers, hers_too, bobs, guests):
            await stream.next()
        await other_parley.touch(Gid("User", user["id"]))
        for stream in (hers, hers_too):
            assert (await stream.until("global.user.update.success")).model == user
        await write(alice, "For everybody")
        for stream in (bobs, guests):
            assert (await stream.next_event()).event == CREATED


async def test_a_change_that_alice_may_not_see_moves_her_cursor(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    """Another login of Alice changes her topic, and nobody gets that change."""
    async with open_stream(alice, "Article/1") as stream:
        before = (await stream.next()).id
        await sign_in(guest, "Alice")
        block = await stream.until(lambda block: block.id != before)
        assert block == Block(id=block.id)
        await write(alice, "And on it goes")
        await stream.until(CREATED)
    assert changes(await polled(alice, "Article/1", last_event_id=block.id)) == [(CREATED, "And on it goes")]


# -- signing out --------------------------------------------------------------------------------------------


async def test_signing_out_ends_the_streams_of_this_login_only(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site: Site
) -> None:
    async with (
        site.client() as at_work,
        site.client(cookies=alice.cookies) as other_tab,
    ):
        await sign_in(at_work, "Alice")
        async with (
            open_stream(alice, "Article/1") as first,
            open_stream(other_tab) as second,
            open_stream(at_work, "Article/1") as third,
            open_stream(bob, "Article/1") as bobs,
        ):
            for stream in (first, second, third, bobs):
                await stream.next()
            await alice.delete("/api/session")
            for stream in (first, second):
                auth = await stream.until("auth")
                assert auth.json() == {"reason": "signed_out"}
                await stream.ended()
            comment = await write(at_work, "Still here")
            assert (await third.until(CREATED)).model["current_user_can_edit"] is True
            assert (await bobs.until(CREATED)).model["id"] == comment["id"]
            assert "auth" not in {block.event for block in third.blocks + bobs.blocks}


async def test_a_login_that_another_process_ends_ends_its_streams_here(
    alice: httpx.AsyncClient, site_parley: Parley, settings: Settings
) -> None:
    from app.main import create_app

    async with serving(create_app(settings)) as other, other.client(cookies=alice.cookies) as same_alice:
        await wait_for_redis(site_parley, other.state.parley)
        async with open_stream(same_alice, "Article/1") as stream:
            await stream.next()
            await alice.delete("/api/session")
            await stream.until("auth")
            await stream.ended()


async def test_nothing_is_sent_after_a_login_has_ended(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site_parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream learns of the end of the login and of later changes at the same time."""
    async with open_stream(alice, "Article/1") as stream:
        await stream.next()
        with monkeypatch.context() as unheard:
            unheard.setattr(site_parley.feeds, "hint", lambda gid: None)
            unheard.setattr(site_parley.hints, "_on_message", lambda gid: None)
            await alice.delete("/api/session")
            await write(bob, "Not for her")
        site_parley.feeds.resync()
        await stream.ended()
    assert [block.event for block in stream.blocks if block.data][-1] == "auth"


async def test_a_person_who_reconnects_signed_out_continues_as_a_guest(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site: Site
) -> None:
    async with site.client(cookies=alice.cookies) as other_tab:
        await alice.delete("/api/session")
        async with open_stream(other_tab, "Article/1") as stream:
            assert (await stream.next()).event == "heartbeat"
            auth = await stream.next()
            assert (auth.event, auth.json()) == ("auth", {"reason": "signed_out"})
            await write(bob, "Hello")
            assert (await stream.until(CREATED)).model["current_user_can_edit"] is False
        # Without another topic, the stream only says so, and asks the client to reconnect much later.
        async with open_stream(other_tab) as stream:
            assert (await stream.next()).json() == {"reason": "signed_out"}
            assert (await stream.next()).retry or 0 >= 60_000
            await stream.ended()


async def test_a_stream_for_another_person_says_only_that(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    """Bob has signed in since in the browser of Alice's page, so its stream reconnects with his cookie."""
    ids = {name: (await client.get("/api/session")).json()["user"]["id"] for name, client in (("a", alice), ("b", bob))}
    await write(alice, "Not to be sent")
    for client, meant in ((bob, ids["a"]), (bob, ""), (guest, ids["a"]), (alice, "nobody")):
        async with open_stream(client, "Article/1", user=meant) as stream:
            assert (await stream.next()).json() == {"reason": None}
            await stream.ended()
        assert [block.event for block in stream.blocks if block.data] == ["auth"]
    for client, meant in ((alice, ids["a"]), (bob, ids["b"]), (guest, "")):
        async with open_stream(client, "Article/1", user=meant) as stream:
            assert (await stream.next()).event == "heartbeat"


async def test_a_signed_in_person_may_open_a_guests_stream_of_counts(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    """A browser sends its cookies with every stream of its origin. The stream continues when Alice signs out."""
    async with open_stream(alice, "Commentable/Article/1", guest=1) as stream:
        assert (await stream.next()).event == "heartbeat"
        await write(bob, "What do you think, @Alice?")
        await stream.until("global.commentable.create.success")
        assert (await alice.delete("/api/session")).status_code == 204
        await write(bob, "Well")
        await stream.until("global.commentable.update.success")
    assert {block.event for block in stream.blocks if block.data} <= {
        "heartbeat", "global.commentable.create.success", "global.commentable.update.success",
    }  # fmt: skip
    own = f"User/{(await bob.get('/api/session')).json()['user']['id']}"
    read_problem(await bob.get("/streams", params={"topic": own, "guest": 1}), 403)


# -- once ---------------------------------------------------------------------------------------------------


async def test_once_ends_after_the_first_batch(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    async with open_stream(guest, "Article/1", once=1) as stream:
        assert (await stream.next()).event == "heartbeat"
        await write(alice, "One")
        await stream.ended()
    assert changes(stream.blocks) == [(CREATED, "One")]
    assert stream.blocks[-1].retry is not None
    assert stream.blocks[-1].retry < 1_000
    assert stream.position
    await write(alice, "Two")
    assert changes(await polled(guest, "Article/1", last_event_id=stream.blocks[-2].id)) == [(CREATED, "Two")]


async def test_once_waits_no_longer_than_a_heartbeat(guest: httpx.AsyncClient, settings: Settings) -> None:
    from app.main import create_app

    quick = settings.model_copy(update={"heartbeat_seconds": 0.1})
    async with serving(create_app(quick)) as site, site.client() as reader:
        blocks = await polled(reader, "Article/1")
    assert [block.event for block in blocks] == ["heartbeat", "heartbeat", "message"]
    assert blocks[-1].data is None


async def test_once_ends_at_once_after_a_reset(guest: httpx.AsyncClient) -> None:
    """A proxy that buffers until the end must not delay the reset until a heartbeat."""
    blocks = await polled(guest, "Article/1", cursor="nonsense~")
    assert [block.event for block in blocks if block.data] == ["heartbeat", "reset"]


# -- coming and going ---------------------------------------------------------------------------------------


async def test_a_client_that_disconnects_leaves_nothing_behind(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    async with AsyncExitStack() as open_streams:
        for reader in (alice, bob, guest) * 3:
            stream = await open_streams.enter_async_context(open_stream(reader, "Article/1", "Article/2"))
            await stream.next()
        assert len(site_parley.feeds) == 4  # two articles, two accounts
        assert len(site_parley.feeds[ONE].watchers) == 9
    await wait_until(lambda: len(site_parley.feeds) == 0, "the feeds to close")
    await write(alice, "Nobody hears")
    assert len(site_parley.feeds) == 0


async def test_a_client_that_disconnects_at_once_leaves_nothing_behind(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    host, port = site.url.removeprefix("http://").split(":")
    for cookie in ("", f"Cookie: parley_login={alice.cookies['parley_login']}\r\n"):
        request = f"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\n{cookie}\r\n".encode()
        for bytes_read in (0, 1, 1, 0, 1) * 2:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request)
            await reader.read(bytes_read)
            writer.transport.abort()
    assert (await guest.get("/healthz")).status_code == 200
    await wait_until(lambda: len(site_parley.feeds) == 0, "the feeds to close")


async def test_a_client_that_does_not_read_delays_nobody(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    host, port = site.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1)
    writer.write(b"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read(1)
    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        for number in range(20):
            await write(alice, f"{number} {'x' * 9_900}")
            assert (await stream.until(CREATED)).model["body"].startswith(f"{number} ")
    writer.transport.abort()
    await wait_until(lambda: len(site_parley.feeds) == 0, "the feeds to close")


async def test_a_server_that_ends_sends_a_retry_time(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    from app.main import create_app

    async with serving(create_app(settings)) as site, person(site, "Alice") as alice, site.client() as guest:
        site_parley = site.state.parley
        async with open_stream(alice, "Article/1") as hers, open_stream(guest, "Article/1", once=1) as guests:
            for stream in (hers, guests):
                await stream.next()
            with caplog.at_level(logging.WARNING):
                site.stop()
                for stream in (hers, guests):
                    await stream.ended()
                    assert stream.blocks[-1].retry is not None
                    assert stream.blocks[-1].data is None
        await wait_until(lambda: len(site_parley.feeds) == 0, "the feeds to close")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_stream_continues_after_a_restart(settings: Settings) -> None:
    from app.main import create_app

    async with serving(create_app(settings)) as site, person(site, "Alice") as alice:
        cookies = alice.cookies
        async with open_stream(alice, "Article/1") as stream:
            await stream.next()
            site.stop()
            await stream.ended()
    async with serving(create_app(settings)) as site, site.client(cookies=cookies) as alice:
        await write(alice, "Missed")
        blocks = await polled(alice, "Article/1", last_event_id=stream.position)
        assert changes(blocks) == [(CREATED, "Missed")]
        assert blocks[1].model["current_user_can_edit"] is True


# -- other processes, and without Redis ---------------------------------------------------------------------


async def test_people_get_a_comment_that_another_process_wrote(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley, other_parley: Parley
) -> None:
    from app.comments import posting
    from app.live.viewers import Viewer

    user = (await alice.get("/api/session")).json()["user"]
    await wait_for_redis(site_parley, other_parley)
    async with open_stream(alice, "Article/1") as hers, open_stream(guest, "Article/1") as guests:
        for stream in (hers, guests):
            await stream.next()
        script = Viewer(UUID(user["id"]), user["username"])
        written, _ = await posting.post(other_parley, script, ONE, "From a script", uuid4())
        for stream, may_edit in ((hers, True), (guests, False)):
            model = (await stream.until(CREATED)).model
            assert (model["id"], model["current_user_can_edit"]) == (str(written.id), may_edit)


async def test_people_get_a_comment_that_was_posted_to_another_server(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley, settings: Settings
) -> None:
    from app.main import create_app

    async with serving(create_app(settings)) as other, other.client(cookies=alice.cookies) as same_alice:
        await wait_for_redis(site_parley, other.state.parley)
        async with open_stream(guest, "Article/1") as here, open_stream(same_alice, "Article/1") as there:
            for stream in (here, there):
                await stream.next()
            comment = await write(same_alice, "Over there")
            for stream in (here, there):
                assert (await stream.until(CREATED)).model["id"] == comment["id"]
            await delete(alice, comment)
            for stream in (here, there):
                await stream.until(DESTROYED)


async def test_people_get_changes_within_a_second_without_redis(settings: Settings, redis_server: RedisServer) -> None:
    """Sweeps are a second apart while Redis is unavailable."""
    from app.live.service import Parley
    from app.main import create_app
    from app.models import LIVE_MODELS

    own = settings.model_copy(update={"redis_url": redis_server.url})
    async with (
        serving(create_app(own)) as site,
        person(site, "Alice") as alice,
        Parley(own, LIVE_MODELS, listening=False) as script,
        open_stream(alice, "Article/1") as stream,
    ):
        await wait_for_redis(site.state.parley)
        await stream.next()
        comment = await write(alice, "With Redis")
        await stream.until(CREATED)
        redis_server.kill()
        await bump_seq(script, comment)  # a writer that waits for Redis would wait until the restart below
        await edit(alice, comment, "Without Redis")
        await stream.until(lambda block: block.data is not None and "Without Redis" in block.data)
        await bump_seq(script, comment)
        assert (await stream.until(UPDATED)).model["likes_count"] == 2
        redis_server.restart()


async def test_a_change_whose_hint_was_lost_arrives_by_sweep(alice: httpx.AsyncClient, settings: Settings) -> None:
    from app.main import create_app

    deaf = settings.model_copy(update={"redis_channel_name": f"deaf-{uuid4().hex}", "sweep_seconds": 0.2})
    async with serving(create_app(deaf)) as other, other.client() as guest, open_stream(guest, "Article/1") as stream:
        await stream.next()
        await wait_for_redis(other.state.parley)
        comment = await write(alice, "Unheard of")
        assert (await stream.until(CREATED)).model["id"] == comment["id"]


async def test_signing_out_without_redis_ends_streams_within_a_sweep(
    settings: Settings, redis_server: RedisServer
) -> None:
    from app.main import create_app

    own = settings.model_copy(update={"redis_url": redis_server.url, "sweep_seconds": 0.2})
    async with (
        serving(create_app(own)) as site,
        serving(create_app(own)) as other,
        person(site, "Alice") as alice,
        other.client(cookies=alice.cookies) as same_alice,
        open_stream(same_alice) as stream,
    ):
        await stream.next()
        redis_server.kill()
        await alice.delete("/api/session")
        await stream.until("auth")
        await stream.ended()


async def test_an_open_stream_keeps_nothing_of_its_request(guest: httpx.AsyncClient, site: Site) -> None:
    def kept() -> list[object]:
        gc.collect()
        return [one for one in gc.get_objects() if type(one) in (Request, PushResponse)]

    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        assert not kept()
        (connection,) = site.server.server_state.connections
        assert not connection.headers  # type: ignore[union-attr]
        assert (await guest.get("/healthz")).status_code == 200


async def test_a_stream_that_waits_for_its_turn_keeps_nothing_that_it_has_sent(
    alice: httpx.AsyncClient, site_parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand streams that catch up wait for each other, and a batch has 64 KB."""
    sent: list[bytes] = []
    step, wait_turn, is_waiting = Session._step, site_parley.pacing.wait_turn, asyncio.Event()

    async def noted(session: Session) -> tuple[bytes, bool]:
        blocks, complete = await step(session)
        sent.append(blocks)
        return blocks, complete

    async def held(network: str | None = None) -> None:
        if sent:
            is_waiting.set()
            await asyncio.Event().wait()
        await wait_turn(network)

    beginning = await cursor_of(alice)
    await write(alice, "one")
    await write(alice, "two")
    monkeypatch.setattr("app.live.stream.session.FIRST_BATCH_BYTES", 0)  # only the first comment
    monkeypatch.setattr(Session, "_step", noted)
    monkeypatch.setattr(site_parley.pacing, "wait_turn", held)
    async with open_stream(alice, "Article/1", cursor=beginning) as stream:
        assert (await stream.until(CREATED)).model["body"] == "one"
        await is_waiting.wait()
        batch, other = sent.pop(), bytes([1, 2])
        assert sys.getrefcount(batch) == sys.getrefcount(other), "something else refers to the batch"


async def test_a_stream_that_fails_is_logged_and_gives_its_place_back(
    guest: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(session: Session) -> bytes:
        raise ArithmeticError("a bug")

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(Session, "_open", fail)
    with pytest.raises(httpx.RemoteProtocolError):
        await guest.get("/streams?topic=Article/1")
    state = site.state
    await wait_until(lambda: any("a bug" in str(line.exc_info) for line in caplog.records), "the error in the log")
    assert [line.status for line in caplog.records if getattr(line, "route", "") == "/streams"] == [200]
    assert (state.admission.streams, len(state.streams._open)) == (0, 0)


async def test_a_head_request_for_a_stream_keeps_the_connection(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    for method, path in (("HEAD", "/streams?topic=Article/1"), ("GET", "/healthz")):
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"200" in await reader.readline()
        await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_is_gone_without_closing_is_given_up(guest: httpx.AsyncClient, site: Site) -> None:
    """The client's kernel does not respond, and ours would retry for a quarter of an hour."""
    from app.http.sse_response import SEND_TIMEOUT_SECONDS

    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        (connection,) = site.server.server_state.connections
        found = connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert found == SEND_TIMEOUT_SECONDS * 1_000


def test_a_client_that_is_gone_before_its_stream_begins_causes_no_error() -> None:
    """The socket of a closed connection on uvloop raises another exception than one on asyncio."""
    import uvloop

    from app.http.sse_response import _set_tcp_timeout

    async def begin_too_late() -> None:
        lost: asyncio.Queue[Request] = asyncio.Queue()

        class Request(asyncio.Protocol):
            transport: asyncio.BaseTransport

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport
                transport.get_extra_info("socket")  # as uvicorn does, to find the client's address

            def connection_lost(self, error: Exception | None) -> None:
                lost.put_nowait(self)

            async def receive(self) -> dict[str, str]:
                return {}

        async with await asyncio.get_running_loop().create_server(Request, "127.0.0.1", 0) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.transport.abort()
            request = await lost.get()
            _set_tcp_timeout(request.receive)
            assert request.transport.get_extra_info("socket").fileno() == -1

    uvloop.run(begin_too_late())
