"""The choices about mail, and muted conversations, over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.people import ARTICLE, me, person, read_json, write
from tests.support.problems import read_problem
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from tests.support.serving import Site


@pytest.fixture
async def alice(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Alice") as alice:
        yield alice


@pytest.fixture
async def bob(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Bob") as bob:
        yield bob


async def test_alice_chooses_when_she_gets_mail(alice: httpx.AsyncClient) -> None:
    user = await me(alice)
    assert user
    assert (user["mail_on_reply"], user["mail_on_mention"]) == ("at_once", "at_once")
    async with open_stream(alice, f"User/{user['id']}") as stream:
        await stream.until("heartbeat")
        choice = {"mail_on_reply": "daily", "mail_on_mention": "never"}
        assert read_json(await alice.put("/api/account/mail", json=choice), 200) == {**user, **choice}
        model = (await stream.until("global.user.update.success")).model
        assert (model["mail_on_reply"], model["mail_on_mention"]) == ("daily", "never"), "her other tabs follow"
    assert await me(alice) == {**user, **choice}


async def test_an_unknown_choice_is_refused(alice: httpx.AsyncClient) -> None:
    half, wrong = {"mail_on_reply": "daily"}, {"mail_on_reply": "hourly", "mail_on_mention": 1}
    read_problem(await alice.put("/api/account/mail", json=half), 422, "mail_on_mention")
    read_problem(await alice.put("/api/account/mail", json=wrong), 422, "mail_on_reply", "mail_on_mention")


async def test_a_guest_has_nothing_to_choose(guest: httpx.AsyncClient) -> None:
    choice = {"mail_on_reply": "daily", "mail_on_mention": "never"}
    read_problem(await guest.put("/api/account/mail", json=choice), 401)
    read_problem(await guest.get("/api/muted_conversations"), 401)
    read_problem(await guest.put("/api/muted_conversations", json=ARTICLE), 401)
    read_problem(await guest.get("/api/followed_conversations"), 401)
    read_problem(await guest.put("/api/followed_conversations", json=ARTICLE), 401)
    read_problem(await guest.put("/api/followed_conversations/read", json={**ARTICLE, "upto": 1}), 401)
    read_problem(await guest.delete("/api/followed_conversations", params=ARTICLE), 401)


async def test_alice_mutes_a_conversation_and_unmutes_it(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    await write(bob, "Hello")
    for _ in range(2):
        assert (await alice.put("/api/muted_conversations", json=ARTICLE)).status_code == 204
    muted = read_json(await alice.get("/api/muted_conversations"), 200)
    assert muted == {"conversations": [{**ARTICLE, "title": ""}]}
    assert read_json(await bob.get("/api/muted_conversations"), 200) == {"conversations": []}
    for _ in range(2):
        assert (await alice.delete("/api/muted_conversations", params=ARTICLE)).status_code == 204
    assert read_json(await alice.get("/api/muted_conversations"), 200) == {"conversations": []}


async def test_alice_follows_a_conversation_reads_it_and_unfollows_it(alice: httpx.AsyncClient) -> None:
    path = "/api/followed_conversations"
    await alice.put("/api/muted_conversations", json=ARTICLE)
    for _ in range(2):
        assert (await alice.put(path, json=ARTICLE)).status_code == 204
    assert read_json(await alice.get(path), 200) == {"conversations": [{**ARTICLE, "title": ""}]}
    assert read_json(await alice.get("/api/muted_conversations"), 200) == {"conversations": []}
    assert (await alice.put(f"{path}/read", json={**ARTICLE, "upto": 1})).status_code == 204
    for wrong in (-1, 2**63, "1"):
        read_problem(await alice.put(f"{path}/read", json={**ARTICLE, "upto": wrong}), 422, "upto")
    for _ in range(2):
        assert (await alice.delete(path, params=ARTICLE)).status_code == 204
    assert read_json(await alice.get(path), 200) == {"conversations": []}


async def test_alice_chooses_when_she_gets_mail_about_conversations_that_she_follows(alice: httpx.AsyncClient) -> None:
    both = {"mail_on_reply": "at_once", "mail_on_mention": "at_once"}
    await alice.put("/api/account/mail", json={**both, "mail_on_followed": "daily"})
    user = read_json(await alice.put("/api/account/mail", json=both), 200)
    assert user["mail_on_followed"] == "daily", "a page of the last release does not send it"


async def test_only_conversations_can_be_muted_or_followed(alice: httpx.AsyncClient) -> None:
    other = {"commentable_type": "User", "commentable_id": "1"}
    for path in ("/api/muted_conversations", "/api/followed_conversations"):
        read_problem(await alice.put(path, json=other), 422, "commentable_type")
        read_problem(await alice.delete(path, params=other), 422, "commentable_type")
