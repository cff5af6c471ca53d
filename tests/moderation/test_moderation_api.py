"""Moderation over HTTP: the rights of each role, and what each role sees in responses, pages and open streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.accounts.user import Role
from tests.support.cases import check_each
from tests.support.people import ARTICLE, email_of, me, person, read_json, sign_in, snapshot, write
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from app.live.service import Parley
    from tests.support.serving import Site

People = Mapping[str, httpx.AsyncClient]
ROLES = {"Bob": Role.MEMBER, "Carol": Role.MODERATOR, "Olga": Role.OWNER}


@pytest.fixture
def site(sqlite_site: Site) -> Site:
    return sqlite_site


@pytest.fixture
async def people(site: Site, site_parley: Parley) -> AsyncIterator[People]:
    """Alice writes, Bob reads, Carol is a moderator, Olga is an owner; and a guest."""
    async with AsyncExitStack() as doors:
        here = {"Guest": await doors.enter_async_context(site.client())}
        for name in ("Alice", *ROLES):
            here[name] = await doors.enter_async_context(person(site, name))
        for name, role in ROLES.items():
            await _set_role(site_parley, await _id(here[name]), role)
        yield here


async def _set_role(site_parley: Parley, user_id: str, to: Role) -> None:
    from app.accounts.user import User
    from app.live.topics import Topic

    async with site_parley.writing(Topic.account(user_id)) as write:
        user = await write.get(User, UUID(user_id))
        assert user
        user.role = to
        write.update(user)


async def _id(client: httpx.AsyncClient) -> str:
    user = await me(client)
    assert user
    return str(user["id"])


async def _ask(client: httpx.AsyncClient, method: str, path: str, json: Any = None) -> int:
    response = await client.request(method, path, **({"json": json} if json is not None else {}))
    return response.status_code


# -- rights -------------------------------------------------------------------------------------------------

# (what, its body, the status for: a guest, Alice who wrote the comment, a member, a moderator, an owner)
MATRIX = [
    ("PUT /api/comments/{comment}/report", {"reason": "spam"}, (401, 422, 200, 200, 200)),
    ("DELETE /api/comments/{comment}/reports", None, (401, 403, 403, 204, 204)),
    ("PUT /api/comments/{comment}/hidden", {"reason": "spam"}, (401, 403, 403, 200, 200)),
    ("DELETE /api/comments/{comment}/hidden", None, (401, 403, 403, 204, 204)),
    ("PATCH /api/commentables/Article/1", {"locked": False, "title": "Nuts"}, (401, 403, 403, 200, 200)),
    ("PUT /api/users/{alice}/block", {}, (401, 403, 403, 200, 200)),
    ("DELETE /api/users/{alice}/block", None, (401, 403, 403, 204, 204)),
    ("PUT /api/users/{alice}/role", {"role": "member"}, (401, 403, 403, 403, 200)),
    ("GET /api/moderation/reports", None, (401, 403, 403, 200, 200)),
    ("GET /api/moderation/decisions", None, (401, 403, 403, 200, 200)),
    ("GET /moderation", None, (404, 404, 404, 200, 200)),
    ("PUT /api/comments/{comment}/erasure", {"reason": "illegal"}, (401, 403, 403, 403, 204)),
]


async def test_each_role_may_do_its_own_acts_only(people: People) -> None:
    comment = await write(people["Alice"], "Almonds")
    ids = {"comment": comment["id"], "alice": comment["user_id"]}
    for act, body, statuses in MATRIX:
        method, path = act.format(**ids).split(" ")
        found = []
        for name in ("Guest", "Alice", "Bob", "Carol", "Olga"):
            if name == "Alice" and await me(people["Alice"]) is None:
                await sign_in(people["Alice"], "Alice")
            found.append(await _ask(people[name], method, path, body))
            if act.startswith("PUT /api/users/{alice}/block") and found[-1] == 200:
                assert await _ask(people["Olga"], "DELETE", path) == 204
        assert tuple(found) == statuses, act


async def test_acts_on_missing_objects_are_not_found(people: People) -> None:
    moderator = people["Olga"]
    for id_ in (uuid4(), "nonsense"):
        assert await _ask(people["Bob"], "PUT", f"/api/comments/{id_}/report", {"reason": "spam"}) == 404
        for method, what, body in (
            ("PUT", f"comments/{id_}/hidden", {}),
            ("DELETE", f"comments/{id_}/hidden", None),
            ("DELETE", f"comments/{id_}/reports", None),
            ("PUT", f"comments/{id_}/erasure", {}),
            ("PUT", f"users/{id_}/block", {}),
            ("DELETE", f"users/{id_}/block", None),
            ("PUT", f"users/{id_}/role", {"role": "member"}),
        ):
            assert await _ask(moderator, method, f"/api/{what}", body) == 404, what


async def test_invalid_acts_are_refused(people: People) -> None:
    comment = await write(people["Alice"], "Almonds")

    async def check(case: tuple[str, Any, str]) -> None:
        path, body, field = case
        method, path = path.format(comment=comment["id"], alice=comment["user_id"]).split(" ")
        response = await people["Olga"].request(method, path, json=body)
        assert response.status_code == 422, response.text
        assert [error["field"] for error in response.json()["errors"]] == [field]

    cases: list[tuple[str, Any, str]] = [
        ("PUT /api/comments/{comment}/report", {}, "reason"),
        ("PUT /api/comments/{comment}/report", {"reason": "boring"}, "reason"),
        ("PUT /api/comments/{comment}/report", {"reason": ["spam"]}, "reason"),
        ("PUT /api/comments/{comment}/report", {"reason": "spam", "note": "x" * 1_001}, "note"),
        ("PUT /api/comments/{comment}/report", {"reason": "spam", "note": "\0"}, "note"),
        ("PUT /api/comments/{comment}/hidden", {"reason": "x" * 1_001}, "reason"),
        ("PUT /api/comments/{comment}/erasure", {"reason": "x" * 1_001}, "reason"),
        ("PUT /api/users/{alice}/role", {"role": "king"}, "role"),
        ("PATCH /api/commentables/Article/1", {"locked": "yes"}, "locked"),
        ("PATCH /api/commentables/Article/1", {"title": "x" * 201}, "title"),
        ("PATCH /api/commentables/Rumour/1", {"locked": True}, "commentable_type"),
    ]
    await check_each({f"{path}, {str(body)[:40]}": (path, body, field) for path, body, field in cases}, check)


# -- what is hidden -----------------------------------------------------------------------------------------


async def test_a_hidden_comment_disappears_for_everybody_else(people: People) -> None:
    """It disappears from open streams, pages and responses. Its author and moderators still see it, with a mark."""
    comment = await write(people["Alice"], "Almonds")
    path = f"/api/comments/{comment['id']}"
    async with AsyncExitStack() as doors:
        streams = {
            name: await doors.enter_async_context(open_stream(client, "Article/1")) for name, client in people.items()
        }
        for stream in streams.values():
            await stream.until("heartbeat")
        hidden = read_json(await people["Carol"].put(f"{path}/hidden", json={"reason": "spam"}), 200)
        assert hidden["hidden"] is True
        for name, stream in streams.items():
            sees = name not in ("Guest", "Bob")
            block = await stream.until(lambda block: "comment" in block.event, 1)
            assert block.event.endswith("update.success" if sees else "destroy.success"), name
            assert ("body" in block.model) == sees
    for name, client in people.items():
        sees = name not in ("Guest", "Bob")
        shown = [row["hidden"] for row in (await snapshot(client))["comments"] if row["id"] == comment["id"]]
        assert shown == [True] * sees
        assert (await client.get(path)).status_code == (200 if sees else 404)
        assert ("Almonds" in (await client.get("/Article/1")).text) == sees
        reply = {**ARTICLE, "body": "Why?", "parent_id": comment["id"]}
        if name != "Guest":
            assert (await client.post("/api/comments/", json=reply)).status_code == (201 if sees else 422)


async def test_a_locked_conversation_takes_comments_of_moderators_only(people: People) -> None:
    comment = await write(people["Alice"], "Almonds")
    locked = read_json(await people["Carol"].patch("/api/commentables/Article/1/", json={"locked": True}), 200)
    assert (locked["locked"], locked["comments_count"]) == (True, 1)
    assert await _ask(people["Bob"], "POST", "/api/comments/", {**ARTICLE, "body": "And?"}) == 403
    await write(people["Olga"], "That is that.")
    read_json(await people["Alice"].put(f"/api/comments/{comment['id']}", json={"body": "Walnuts"}), 200)
    assert (await people["Alice"].delete(f"/api/comments/{comment['id']}")).status_code == 204


# -- the queue ----------------------------------------------------------------------------------------------


async def test_only_moderators_get_changes_of_the_queue(people: People) -> None:
    comment = await write(people["Alice"], "Almonds")
    async with (
        open_stream(people["Carol"]) as moderators,
        open_stream(people["Olga"], "Moderation/queue") as owners,
        open_stream(people["Bob"], "Article/1") as members,
    ):
        for stream in (moderators, owners, members):
            await stream.until("heartbeat")
        await people["Bob"].put(f"/api/comments/{comment['id']}/report", json={"reason": "abuse", "note": "Nuts"})
        for stream in (moderators, owners):
            report = (await stream.until("report.create.success")).model
            assert report["comment_id"] == comment["id"]
            assert (report["reason"], report["note"], report["username"]) == ("abuse", "Nuts", "Bob")
        await people["Olga"].delete(f"/api/comments/{comment['id']}/reports")
        for stream in (moderators, owners):
            assert (await stream.until("report.destroy.success")).model["id"] == report["id"]
            decision = (await stream.until("decision.create.success")).model
            assert (decision["username"], decision["act"], decision["person_name"]) == ("Olga", "dismiss", "Alice")
        await write(people["Bob"], "The next change")
        assert (await members.next_event()).model["body"] == "The next change"
    for name in ("Guest", "Bob"):
        assert (await people[name].get("/streams", params={"topic": "Moderation/queue"})).status_code == 403


async def test_the_queue_is_read_in_pages(people: People) -> None:
    moderator = people["Carol"]
    said = [await write(people["Alice"], f"number {number}") for number in range(3)]
    for comment in said:
        await people["Bob"].put(f"/api/comments/{comment['id']}/report", json={"reason": "spam"})
        await moderator.put(f"/api/comments/{comment['id']}/hidden", json={"reason": comment["body"]})
    for comment in said[:2]:
        await moderator.delete(f"/api/comments/{comment['id']}/hidden")
    first = read_json(await moderator.get("/api/moderation/decisions/", params={"limit": 3}), 200)
    assert [(row["act"], row["reason"]) for row in first["decisions"]] == [
        ("hide", "number 2"), ("restore", ""), ("restore", ""),
    ]  # fmt: skip
    rest = read_json(await moderator.get("/api/moderation/decisions", params={"before": first["before"]}), 200)
    assert [row["reason"] for row in rest["decisions"]] == ["number 0", "number 1"]
    assert rest["before"] is None
    assert read_json(await moderator.get("/api/moderation/reports"), 200)["reports"] == []


# -- accounts -----------------------------------------------------------------------------------------------


async def test_the_streams_of_a_blocked_account_end_with_the_reason(people: People) -> None:
    alice = people["Alice"]
    comment = await write(alice, "Almonds")
    async with open_stream(alice, "Article/1") as stream:
        await stream.until("heartbeat")
        blocked = read_json(await people["Carol"].put(f"/api/users/{comment['user_id']}/block", json={}), 200)
        assert blocked == {"id": comment["user_id"], "username": "Alice", "role": "member", "blocked": True}
        assert (await stream.until("auth", 1)).json()["reason"] == "blocked"
        await stream.ended(1)
    assert await me(alice) is None
    assert [row["body"] for row in (await snapshot(alice))["comments"]] == ["Almonds"], "a blocked person may read"
    form = {"email": email_of("Alice"), "password": "talk among friends"}
    refused = await alice.post("/api/session", json=form)
    assert (refused.status_code, refused.json()["detail"]) == (403, "This account is blocked.")
    wrong = await alice.post("/api/session", json={**form, "password": "a wrong one"})
    unknown = await alice.post("/api/session", json={**form, "email": "nobody@example.com"})
    assert wrong.status_code == 401
    assert wrong.json() == unknown.json(), "a stranger without the password does not learn of the block"
    assert (await people["Carol"].delete(f"/api/users/{comment['user_id']}/block")).status_code == 204
    await sign_in(alice, "Alice")


async def test_a_change_of_role_takes_effect_on_open_streams(people: People) -> None:
    owner, moderator = people["Olga"], people["Carol"]
    comment = await write(people["Alice"], "Almonds")
    path = f"/api/users/{await _id(moderator)}/role"
    async with open_stream(moderator, "Article/1", "Moderation/queue") as stream:
        await stream.until("heartbeat")
        assert read_json(await owner.put(path, json={"role": "member"}), 200)["role"] == "member"
        reset = (await stream.until("reset", 1)).json()
        assert (reset["reason"], "Moderation/queue" in reset["topics"]) == ("viewer", True)
        await stream.ended(1)
        await people["Bob"].put(f"/api/comments/{comment['id']}/report", json={"reason": "spam"})
        again = await moderator.get("/streams", params={"topic": "Moderation/queue"})
        assert again.status_code == 403
        async with open_stream(moderator, "Article/1", last_event_id=stream.position) as without:
            await owner.put(f"/api/comments/{comment['id']}/hidden", json={})
            assert (await without.until("success", 1)).event == "global.comment.destroy.success"
            await owner.put(path, json={"role": "moderator"})
            await without.until("reset", 1)
            await without.ended(1)


async def test_only_the_pages_of_moderators_have_moderation(people: People) -> None:
    comment = await write(people["Alice"], "Almonds")
    note = "a note for moderators"
    await people["Bob"].put(f"/api/comments/{comment['id']}/report", json={"reason": "spam", "note": note})
    for name, client in people.items():
        for path in ("/", "/Article/1", "/account"):
            assert (note in (await client.get(path)).text) == (name in ("Carol", "Olga")), (name, path)
