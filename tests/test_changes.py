"""Changes for guests behind a cache: the same response for everybody, and never anything private."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app import changes
from app.accounts import roles
from app.accounts.user import Role
from app.live.cursors import Cursor, write_cursor
from app.live.stream.session import Session, State
from app.live.topics import Topic
from tests.support.database import set_epoch, write_comments
from tests.support.people import delete, edit, email_of, me, person, read_json, snapshot, write
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.waiting import cancel_tasks, wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings

ONE = Topic("Article", "1")
PATH = "/changes/Article/1"

Changes = dict[str, Any]


async def read_changes(client: httpx.AsyncClient, query: Any, path: str = PATH) -> Changes:
    return dict(read_json(await client.get(path, params=query), 200))


async def read_until_quiet(client: httpx.AsyncClient, cursor: str) -> list[Changes]:
    """The responses from this cursor on, up to the first one without an event."""
    found = [await read_changes(client, {"after": cursor, "now": 1})]
    while found[-1]["events"]:
        found.append(await read_changes(client, {"after": found[-1]["cursor"], "now": 1}))
    return found


def bodies(*found: Changes) -> list[tuple[str, str]]:
    """(verb, body) of each change; the body of a deletion is ""."""
    models = [
        (event["name"].split(".")[2], event["data"]["payload"]["model"]) for one in found for event in one["events"]
    ]
    return [(verb, model.get("body", "")) for verb, model in models]


async def wait_for_poll(parley: Parley, topic: Topic = ONE) -> None:
    """Wait until a long poll of the topic has nothing to send."""

    def waits() -> bool:
        watchers = {watcher for feed in parley.feeds if feed.topic == topic for watcher in feed.watchers}
        return any(isinstance(watcher, Session) and watcher.state is State.LIVE for watcher in watchers)

    await wait_until(waits, "the poll to wait")


async def hide(moderator: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    read_json(await moderator.put(f"/api/comments/{comment['id']}/hidden", json={"reason": "spam"}), 200)


# -- changes ------------------------------------------------------------------------------------------------


async def test_a_guest_gets_each_change_by_a_long_poll(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    first = await read_changes(guest, {})
    assert first["events"] == []
    polling = asyncio.create_task(guest.get(f"{PATH}?{first['next']}"))
    await wait_for_poll(site_parley)
    comment = await write(alice, "There is a stepp")
    found = read_json(await polling, 200)
    assert found["events"] == [
        {
            "name": "global.comment.create.success",
            "data": {"payload": {"model": {**comment, "current_user_can_edit": False}}},
        }
    ]
    assert found["cursor"] == (await snapshot(guest))["cursor"]
    await edit(alice, comment, "There is a step")
    edited = await read_changes(guest, found["next"])
    await delete(alice, comment)
    deleted = await read_changes(guest, edited["next"])
    assert bodies(edited, deleted) == [("update", "There is a step"), ("destroy", "")]
    await wait_until(lambda: len(site_parley.feeds) == 0, "the feeds to close")


async def test_a_guest_gets_the_count_of_a_commentable(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    path = "/changes/Commentable/Article/1"
    first = await read_changes(guest, {}, path)
    await write(alice, "One")
    found = await read_changes(guest, first["next"], path)
    assert [event["data"]["payload"]["model"]["comments_count"] for event in found["events"]] == [1]


async def test_a_client_with_an_old_cursor_gets_everything_in_bounded_responses(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    old = (await snapshot(guest))["cursor"]
    first = await write(alice, "the first")
    await write_comments(site_parley, first, [f"{number} {'x' * 9_000}" for number in range(40)])
    found = await read_until_quiet(guest, old)
    assert len(found) > 3
    assert max(len(str(one)) for one in found) < 100_000
    models = [event["data"]["payload"]["model"] for one in found for event in one["events"]]
    assert models == (await snapshot(guest, limit=100))["comments"]


async def test_a_cursor_of_a_snapshot_that_names_other_topics_works(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write(alice, "Elsewhere", commentable_id="2")
    here, elsewhere = [(await snapshot(guest, commentable_id=id_))["cursor"] for id_ in ("1", "2")]
    await write(alice, "Here")
    both = await read_changes(guest, {"after": [elsewhere, here]})
    assert (bodies(both), both["cursor"]) == ([("create", "Here")], (await snapshot(guest))["cursor"])
    assert bodies(await read_changes(guest, {"after": elsewhere, "now": 1})) == []


# -- nothing private ----------------------------------------------------------------------------------------


async def test_a_login_makes_no_difference(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await roles.assign_role(site_parley, email_of("Alice"), Role.MODERATOR)
    cursor = (await snapshot(guest))["cursor"]
    hidden = await write(alice, "to be hidden")
    await write(alice, "Hello")
    await hide(alice, hidden)
    query = {"after": cursor}
    hers, guests = [await client.get(PATH, params=query) for client in (alice, guest)]
    assert [hers.json()[part] for part in ("events", "cursor")] == [
        guests.json()[part] for part in ("events", "cursor")
    ]
    assert bodies(hers.json()) == [("create", "Hello"), ("destroy", "")]
    assert "to be hidden" not in hers.text
    assert '"current_user_can_edit":true' not in hers.text
    for response in (hers, guests):
        assert response.headers["cache-control"] == "public, max-age=0, s-maxage=1"
        assert not {"set-cookie", "vary"} & set(response.headers)


async def test_a_hidden_comment_is_gone(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    before = (await snapshot(guest))["cursor"]
    comment = await write(alice, "to be hidden")
    await roles.assign_role(site_parley, email_of("Bob"), Role.MODERATOR)
    seen = await read_changes(guest, {"after": before})
    polling = asyncio.create_task(guest.get(f"{PATH}?{seen['next']}"))
    await wait_for_poll(site_parley)
    await hide(bob, comment)
    assert bodies(read_json(await polling, 200)) == [("destroy", "")]
    assert bodies(await read_changes(guest, {"after": before})) == [("destroy", "")]


async def test_a_guest_may_follow_public_topics_only(alice: httpx.AsyncClient) -> None:
    user = await me(alice)
    assert user
    for path, status, field in [
        (f"/changes/User/{user['id']}", 403, []),
        ("/changes/Moderation/queue", 403, []),
        ("/changes/Nothing/1", 422, ["topic"]),
        ("/changes/Commentable/User/1", 422, ["topic"]),
        (f"{PATH}?turn=-1", 422, ["turn"]),
        (f"{PATH}?now=yes", 422, ["now"]),
        (f"{PATH}?{'after=x&' * 101}", 422, ["after"]),
    ]:
        response = await alice.get(path)
        read_problem(response, status, *field)
        assert response.headers["cache-control"] == "no-store", path


async def test_a_page_of_a_listed_origin_may_read_changes(settings: Settings) -> None:
    from app.main import create_app

    host = "https://www.example.com"
    listing = settings.model_copy(update={"allowed_origins": frozenset({host})})
    async with serving(create_app(listing)) as site, site.client() as guest:
        for origin, allowed in [(host, host), ("https://other.example.com", None), (None, None)]:
            response = await guest.get(PATH, headers={"Origin": origin} if origin else {})
            assert response.headers.get("access-control-allow-origin") == allowed
            assert response.headers["vary"] == "Origin"


# -- resets -------------------------------------------------------------------------------------------------


async def test_a_cursor_that_cannot_be_resumed_gets_a_reset(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await write(alice, "One")
    cursor = (await snapshot(guest))["cursor"]
    ahead = write_cursor(Cursor.parse(cursor).epoch, {ONE: 1_000})
    for after, reason in [("nonsense~", "malformed"), (ahead, "ahead")]:
        found = await read_changes(guest, {"after": after})
        assert found["events"] == [{"name": "reset", "data": {"topics": ["Article/1"], "reason": reason}}]
        assert found["cursor"] == cursor
    await set_epoch(site_parley, "another")
    for query in ({"after": cursor}, {"after": cursor, "now": 1}):
        found = await read_changes(guest, query)
        assert [event["data"]["reason"] for event in found["events"]] == ["epoch"]
        assert found["cursor"].startswith("another~")


async def test_a_restored_database_ends_a_long_poll_with_a_reset(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await write(alice, "One")
    polling = asyncio.create_task(read_changes(guest, {"after": (await snapshot(guest))["cursor"]}))
    await wait_for_poll(site_parley)
    await set_epoch(site_parley, "another")
    await site_parley.feeds.sweep()
    assert [event["data"]["reason"] for event in (await polling)["events"]] == ["epoch"]


# -- the end of a long poll ---------------------------------------------------------------------------------


async def test_a_long_poll_without_news_ends_with_its_turn_and_names_the_next(
    guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "TURN_SECONDS", 0.3)
    monkeypatch.setattr(changes, "MIN_WAIT_SECONDS", 0.0)
    found = await read_changes(guest, {})
    queries = set()
    for _ in range(4):
        queries.add(found["next"])
        quiet = await read_changes(guest, found["next"])
        assert (quiet["events"], quiet["cursor"]) == ([], found["cursor"])
        found = quiet
    assert len(queries) == 4  # a cache would answer a repeated query by the same response
    ahead = await read_changes(guest, {"after": found["cursor"], "turn": 10**15})  # of a process whose clock is ahead
    assert ahead["next"].endswith(f"turn={10**15 + 1}")


def test_guests_who_come_at_different_times_share_the_next_turn() -> None:
    times = [1_700_000_000 + tenth / 10 for tenth in range(2_000)]
    turns = [(now, *changes._turn(ONE, now)) for now in times]
    ends = {round(now + wait, 3): number for now, number, wait in turns}
    assert len(ends) <= 200 / changes.TURN_SECONDS + 2
    assert all(changes.MIN_WAIT_SECONDS < wait <= changes.TURN_SECONDS + 1 for _, _, wait in turns)
    assert all(changes._turn(ONE, end + 0.01)[0] > number for end, number in ends.items())


def test_topics_do_not_begin_their_turns_together() -> None:
    assert len({round(changes._turn(Topic("Article", str(number)), 1_700_000_000)[1]) for number in range(200)}) > 15


async def test_a_guest_who_disconnects_leaves_nothing_behind(
    guest: httpx.AsyncClient, site_parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "TURN_SECONDS", 1e6)  # the poll must not end by itself
    cursor = (await read_changes(guest, {}))["cursor"]
    polling = asyncio.create_task(guest.get(PATH, params={"after": cursor}))
    await wait_for_poll(site_parley)
    await cancel_tasks(polling)
    await wait_until(lambda: len(site_parley.feeds) == 0, "the feed to close")


async def test_a_server_that_ends_sends_its_guests_elsewhere(settings: Settings) -> None:
    from app.main import create_app

    ending = create_app(settings)
    async with serving(ending) as site, site.client() as guest:
        cursor = (await read_changes(guest, {}))["cursor"]
        polling = asyncio.create_task(guest.get(PATH, params={"after": cursor}))
        await wait_for_poll(ending.state.parley)
        site.stop()
        response = await polling
    read_problem(response, 503)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["retry-after"] == "2"


async def test_a_full_process_refuses_a_poll(settings: Settings) -> None:
    from app.main import create_app

    full = create_app(settings.model_copy(update={"max_streams": 1}))
    async with serving(full) as site, site.client() as guest, site.client() as other, person(site, "Alice") as alice:
        cursor = (await read_changes(guest, {}))["cursor"]
        polling = asyncio.create_task(guest.get(PATH, params={"after": cursor}))
        await wait_for_poll(full.state.parley)
        read_problem(await other.get(PATH), 503)
        await write(alice, "One")
        read_json(await polling, 200)
        await read_changes(other, {})


async def test_a_deleted_comment_is_not_sent(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    before = (await snapshot(guest))["cursor"]
    comment = await write(alice, "a secret")
    await delete(alice, comment)
    found = await guest.get(PATH, params={"after": before})
    assert "a secret" not in found.text
    assert bodies(found.json()) == [("destroy", "")]
