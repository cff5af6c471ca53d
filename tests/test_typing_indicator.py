"""Presence and typing over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from limits import parse

from tests.support.people import ARTICLE, me, person, read_json, write
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.sse import Block, Stream, open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.settings import Settings
    from tests.support.serving import Site

ELSEWHERE = {"commentable_type": "Page", "commentable_id": "about"}
PRESENCE_TIMEOUT_SECONDS = 5.0  # presence takes two seconds, and longer on a busy machine


pytestmark = pytest.mark.sqlite_only  # presence is not stored in the database


@asynccontextmanager
async def looking(client: httpx.AsyncClient, *topics: str) -> AsyncIterator[Stream]:
    """A stream that takes part in presence."""
    async with open_stream(client, *(topics or ("Article/1",)), presence=1) as stream:
        await stream.until("heartbeat")
        yield stream


async def sees(stream: Stream, timeout: float = PRESENCE_TIMEOUT_SECONDS, **wanted: Any) -> dict[str, Any]:
    """Wait for a presence event with these members: `people` and `typing` as names, others unchanged."""

    def is_so(block: Block) -> bool:
        if block.event != "presence":
            return False
        said = block.json()
        named = {key: sorted(each["username"] for each in said[key]) for key in ("people", "typing")}
        return all({**said, **named}[key] == value for key, value in wanted.items())

    said: dict[str, Any] = (await stream.until(is_so, timeout)).json()
    return said


async def types(client: httpx.AsyncClient, **where: str) -> None:
    response = await client.post("/api/typing", json=where or ARTICLE)
    assert (response.status_code, response.content) == (204, b""), response.text


async def test_bob_sees_that_alice_is_here_and_types(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    async with looking(alice), looking(bob) as his, looking(guest) as theirs:
        for stream in (his, theirs):
            seen = await sees(stream, people=["Alice", "Bob"], guests=1)
            assert (seen["count"], seen["typing"], seen["typing_count"]) == (2, [], 0)
        await types(alice)
        user = await me(alice)
        assert user
        for stream in (his, theirs):
            seen = await sees(stream, typing=["Alice"])
            assert seen["typing"] == [{"id": user["id"], "username": "Alice"}]
        assert user["email"] not in str([his.blocks, theirs.blocks])


async def test_a_comment_ends_its_authors_typing(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    async with looking(alice), looking(bob) as his:
        await types(alice)
        await sees(his, typing=["Alice"])
        await write(alice, "This is what I typed")
        await sees(his, 3.0, typing=[])  # before typing would expire


async def test_people_who_leave_or_sign_out_are_not_shown(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    async with looking(guest) as theirs:
        async with looking(alice), looking(bob) as his:
            await sees(theirs, people=["Alice", "Bob"])
            assert (await bob.delete("/api/session")).status_code == 204
            await his.until("auth")
            await sees(theirs, 3.0, people=["Alice"])  # sooner than after a disconnect
        await sees(theirs, 10.0, people=[])


async def test_a_client_without_presence_gets_none(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    async with looking(alice) as hers, open_stream(bob, "Article/1") as his:
        assert (await sees(hers))["count"] == 1
        await his.next()
        await types(alice)
        await sees(hers, typing=["Alice"])
        await write(alice, "Hello")
        assert (await his.next()).event == "global.comment.create.success"


async def test_each_topic_of_a_stream_has_its_own_people(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    async with looking(alice, "Article/1", "Page/about") as hers, looking(bob, "Page/about"):
        seen: dict[str, list[str]] = {}
        while seen != {"Article/1": ["Alice"], "Page/about": ["Alice", "Bob"]}:  # they come in any order
            said = (await hers.until("presence")).json()
            seen[said["topic"]] = sorted(person["username"] for person in said["people"])
        await types(bob, **ELSEWHERE)
        await sees(hers, topic="Page/about", typing=["Bob"])
    assert not [block for block in hers.blocks if "User/" in (block.data or "")]


async def test_guests_are_not_shown_as_typing(guest: httpx.AsyncClient, alice: httpx.AsyncClient) -> None:
    read_problem(await guest.post("/api/typing", json=ARTICLE), 401)
    # Another person has signed in meanwhile, in another tab.
    read_problem(await alice.post("/api/typing", json=ARTICLE, headers={"Parley-User": "somebody-else"}), 401)


async def test_typing_needs_a_valid_topic(alice: httpx.AsyncClient) -> None:
    read_problem(await alice.post("/api/typing", json={}), 422, "commentable_type", "commentable_id")
    read_problem(await alice.post("/api/typing", json={**ARTICLE, "commentable_type": "User"}), 422, "commentable_type")
    read_problem(await alice.post("/api/typing", json={**ARTICLE, "commentable_id": ""}), 422, "commentable_id")
    read_problem(await alice.post("/api/typing", content=b"{"), 415)
    read_problem(await alice.get("/api/typing"), 405)
    await types(alice, **{**ARTICLE, "commentable_id": "never seen before"})


async def test_typing_has_a_limit(alice: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.http import rate_limits

    hints = site.state.parley.hints
    await wait_until(lambda: hints.flowing, "Redis to be there")
    monkeypatch.setattr(rate_limits, "TYPING", replace(rate_limits.TYPING, by_account=parse("3 per hour")))
    for _ in range(3):
        await types(alice)
    read_problem(await alice.post("/api/typing", json=ARTICLE), 429)
    await write(alice, "It is the typing that is limited")


async def test_presence_is_not_stored(alice: httpx.AsyncClient, site: Site) -> None:
    async with looking(alice) as hers:
        await sees(hers)
        before = read_json(await alice.get("/api/comments/", params=ARTICLE), 200)
        await types(alice)
        await sees(hers, typing=["Alice"])
        assert read_json(await alice.get("/api/comments/", params=ARTICLE), 200) == before
        assert {block.id for block in hers.blocks if block.event == "presence"} == {None}


async def test_a_service_with_presence_switched_off_sends_none(settings: Settings) -> None:
    from app.main import create_app

    off = settings.model_copy(update={"presence": False, "heartbeat_seconds": 0.5})
    async with (
        serving(create_app(off)) as site,
        person(site, "Alice") as alice,
        person(site, "Bob") as bob,
        looking(alice),
        looking(bob) as his,
    ):
        await types(alice)
        await write(alice, "Hello")
        for _ in range(4):
            await his.until("heartbeat")
        assert {block.event for block in his.blocks} == {"heartbeat", "global.comment.create.success"}
        assert "Alice" not in json.dumps([block.data for block in his.blocks if block.event == "heartbeat"])
