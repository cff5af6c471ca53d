"""Notifications over REST and on streams: each person's own, newest page first, read marks for all devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.people import delete, me, read_json, write
from tests.support.problems import read_problem
from tests.support.sse import open_stream

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley

INBOX = "/api/notifications/"
FIELDS = {
    *("id", "seq", "created_seq", "commentable_type", "commentable_id"),
    *("kind", "comment_id", "title", "url", "actor_name", "excerpt", "created_at", "read"),
}


pytestmark = pytest.mark.sqlite_only  # the model's own tests cover PostgreSQL


async def inbox(client: httpx.AsyncClient, **query: int) -> dict[str, Any]:
    page = read_json(await client.get(INBOX, params=query), 200)
    assert page.keys() == {"notifications", "cursor", "before", "unread", "earlier_unread"}
    return dict(page)


async def mention(bob: httpx.AsyncClient, times: int = 1) -> list[dict[str, Any]]:
    return [await write(bob, f"@alice, {number}", commentable_id="2") for number in range(times)]


async def mark(client: httpx.AsyncClient, notification: dict[str, Any], read: Any, **headers: str) -> httpx.Response:
    return await client.patch(INBOX + notification["id"], json={"read": read}, headers=headers)


async def test_alice_finds_the_notification_of_a_mention_by_bob(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    (comment,) = await mention(bob)
    page = await inbox(alice)
    (notification,) = page["notifications"]
    assert notification.keys() == FIELDS
    assert (notification["kind"], notification["actor_name"], notification["read"]) == ("mention", "Bob", False)
    assert (notification["commentable_type"], notification["commentable_id"]) == ("Article", "2")
    assert (notification["comment_id"], notification["excerpt"]) == (comment["id"], "@alice, 0")
    assert (page["before"], page["unread"], page["earlier_unread"]) == (None, 1, 0)
    assert (await inbox(bob))["notifications"] == []


async def test_a_guest_has_no_inbox(guest: httpx.AsyncClient, alice: httpx.AsyncClient) -> None:
    read_problem(await guest.get(INBOX), 401)
    read_problem(await guest.patch(f"{INBOX}{uuid4()}", json={"read": True}), 401)
    read_problem(await guest.put(f"{INBOX}read", json={"upto": 1}), 401)
    user = await me(alice)
    assert user
    read_problem(await alice.get(INBOX, headers={"Parley-User": str(uuid4())}), 401)
    read_json(await alice.get(INBOX, headers={"Parley-User": user["id"]}), 200)


async def test_notifications_are_read_in_pages_in_the_order_of_creation(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    written = [comment["id"] for comment in await mention(bob, 5)]
    first = await inbox(alice, limit=2)
    second = await inbox(alice, limit=2, before=first["before"])
    third = await inbox(alice, limit=2, before=second["before"])
    pages = [third, second, first]
    assert [found["comment_id"] for page in pages for found in page["notifications"]] == written
    assert [(page["unread"], page["earlier_unread"]) for page in pages] == [(5, 0), (5, 1), (5, 3)]
    assert third["before"] is None
    for query in ({"limit": 0}, {"limit": 101}, {"before": 0}, {"before": "x"}):
        read_problem(await alice.get(INBOX, params=query), 422, *query)


async def test_marking_as_read_is_a_change_and_takes_effect_once(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    await mention(bob)
    (told,) = (await inbox(alice))["notifications"]
    answer = await mark(alice, told, True)
    read = read_json(answer, 200)
    assert read == {**told, "read": True, "seq": told["seq"] + 1}
    assert answer.headers["etag"] == f'"{read["seq"]}"'
    assert read_json(await mark(alice, told, True), 200) == read, "an unchanged mark takes no seq"
    assert read_json(await alice.patch(INBOX + told["id"], json={}), 200) == read
    assert (await inbox(alice))["unread"] == 0
    problem = read_problem(await mark(alice, told, False, **{"If-Match": f'"{told["seq"]}"'}), 412)
    assert problem["notification"] == read
    unread = read_json(await mark(alice, told, False, **{"If-Match": f'"{read["seq"]}"'}), 200)
    assert (unread["read"], (await inbox(alice))["unread"]) == (False, 1)
    read_problem(await mark(alice, told, "yes"), 422, "read")


async def test_nobody_can_mark_notifications_of_others_or_missing_ones(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    (comment,) = await mention(bob)
    (told,) = (await inbox(alice))["notifications"]
    read_problem(await mark(bob, told, True), 404)
    for id_ in (str(uuid4()), "nonsense"):
        read_problem(await mark(alice, {"id": id_}, True), 404)
    assert (await inbox(alice))["unread"] == 1
    await delete(bob, comment)
    read_problem(await mark(alice, told, True), 404)
    assert (await inbox(alice))["notifications"] == []


async def test_all_notifications_up_to_the_newest_seen_are_marked_at_once(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    await mention(bob, 4)
    seen = (await inbox(alice))["notifications"]
    await mark(alice, seen[0], True)
    for method in ("PUT", "PATCH"):  # browsers send PATCH, because their outbox sends every change so
        answer = await alice.request(method, f"{INBOX}read", json={"upto": seen[2]["created_seq"]})
        assert read_json(answer, 200) == {"read": 2 if method == "PUT" else 0}
    assert [told["read"] for told in (await inbox(alice))["notifications"]] == [True, True, True, False]
    assert (await inbox(bob))["unread"] == 0
    assert read_json(await alice.put(f"{INBOX}read", json={"upto": 2.0}), 200) == {"read": 0}, "2.0 is 2 in JSON"
    for upto in (-1, "3", None, 2**63, 2.5, 1e300, True):
        read_problem(await alice.put(f"{INBOX}read", json={"upto": upto}), 422, "upto")


async def test_bob_mutes_alice_and_gets_no_more_notifications_of_her(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    her, his = await me(alice), await me(bob)
    assert her
    assert his
    assert (await bob.put(f"/api/users/{her['id']}/mute")).status_code == 204
    assert read_json(await bob.get("/api/mutes/"), 200) == {"mutes": [{"id": her["id"], "username": her["username"]}]}
    await write(alice, "@bob, look")
    assert (await inbox(bob))["unread"] == 0
    assert (await bob.delete(f"/api/users/{her['id']}/mute/")).status_code == 204
    await write(alice, "@bob, look again")
    assert (await inbox(bob))["unread"] == 1
    read_problem(await bob.put(f"/api/users/{his['id']}/mute"), 422, "id")
    for unknown in (str(uuid4()), "nonsense"):
        read_problem(await bob.put(f"/api/users/{unknown}/mute"), 404)


async def test_only_alices_own_streams_get_her_notifications(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    user = await me(alice)
    assert user
    before = (await inbox(alice))["cursor"]
    async with open_stream(bob, "Article/1") as bobs, open_stream(guest, "Article/1") as guests:
        (comment,) = await mention(bob)
        async with open_stream(alice, cursor=before) as stream:
            created = await stream.until("global.notification.create.success")
            assert created.model == (await inbox(alice))["notifications"][0]
            await mark(alice, created.model, True)
            assert (await stream.until("global.notification.update.success")).model["read"] is True
            await delete(bob, comment)
            gone = await stream.until("global.notification.destroy.success")
            assert gone.model.keys() == {"id", "commentable_type", "commentable_id", "seq", "created_seq"}
        await write(bob, "The end")
        for others in (bobs, guests):
            await others.until(lambda block: block.data is not None and "The end" in block.data)
            assert not [block for block in others.blocks if "notification" in block.event]
    for other in (bob, guest):
        read_problem(await other.get("/streams", params={"topic": f"User/{user['id']}"}), 403)


async def test_a_page_contains_the_newest_notifications(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    from tests.pages.test_pages import bootstrap

    await mention(bob, 12)
    front, whole = await bootstrap(alice, "/"), await bootstrap(alice, "/inbox")
    assert front["notifications"] == await inbox(alice, limit=10)
    assert front["cursors"] == [front["notifications"]["cursor"]]
    assert (front["notifications"]["unread"], front["notifications"]["earlier_unread"]) == (12, 2)
    assert whole["notifications"] == await inbox(alice)
    assert (await bootstrap(guest, "/inbox"))["notifications"] is None
    assert 'aria-label="Notifications, 12 unread"' in (await alice.get("/")).text
