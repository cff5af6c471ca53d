"""Comments over REST, in Backbone's conventions, on each kind of database."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.database import bump_seq, count_comments, read_seq, write_comments
from tests.support.people import ARTICLE, delete, edit, read_json, snapshot, write
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley

FIELDS = {
    "id",
    "body",
    "user_id",
    "username",
    "likes_count",
    "commentable_type",
    "commentable_id",
    "parent_id",
    "created_at",
    "updated_at",
    "edited",
    "seq",
    "created_seq",
    "current_user_can_edit",
}


SUCCESS = {"POST": 201, "PATCH": 200, "PUT": 200, "DELETE": 204}


def path(comment: dict[str, Any]) -> str:
    return f"/api/comments/{comment['id']}"


# -- writing ------------------------------------------------------------------------------------------------


async def test_alice_writes_a_comment(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/api/comments/", json={**ARTICLE, "body": "There is always a step."})
    comment = read_json(response, 201)
    me = (await alice.get("/api/session")).json()["user"]
    assert comment.keys() >= FIELDS
    assert comment["body"] == "There is always a step."
    assert (comment["user_id"], comment["username"]) == (me["id"], "Alice")
    assert (comment["commentable_type"], comment["commentable_id"]) == ("Article", "1")
    assert (comment["seq"], comment["created_seq"]) == (1, 1)
    assert (comment["likes_count"], comment["parent_id"], comment["edited"]) == (0, None, False)
    assert comment["current_user_can_edit"] is True
    assert comment["created_at"] == comment["updated_at"]
    assert datetime.fromisoformat(comment["created_at"]).tzinfo is not None
    assert response.headers["etag"] == '"1"'
    assert response.headers["location"] == path(comment)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_request_that_alices_outbox_made_is_refused_for_bob(
    method: str, alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    """A browser sends waiting changes later, when another person may be signed in there."""
    comment = await write(bob, "Mine")
    me = (await alice.get("/api/session")).json()["user"]["id"]
    here = "/api/comments/" if method == "POST" else path(comment)
    body = {**ARTICLE, "body": "Not mine"}
    for somebody in (me, "nobody", ""):
        headers = {"Parley-User": somebody}
        read_problem(await bob.request(method, here, json=body, headers=headers), 401)
    assert [comment["body"] for comment in (await snapshot(bob))["comments"]] == ["Mine"]
    answer = await bob.request(method, here, json=body, headers={"Parley-User": comment["user_id"]})
    assert answer.status_code == SUCCESS[method]


async def test_the_response_is_the_stored_comment(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "Kept")
    response = await alice.get(path(comment))
    assert read_json(response, 200) == comment
    assert response.headers["etag"] == f'"{comment["seq"]}"'
    assert (await snapshot(alice))["comments"] == [comment]


async def test_every_character_of_a_body_is_stored(alice: httpx.AsyncClient) -> None:
    for body in (" <b>&amp;</b>\r\n\ttwo  spaces ", "\u2028\u202e🦜é ﷺ\x01", "🦜" * 10_000):
        comment = await write(alice, body)
        assert comment["body"] == body
        assert (await alice.get(path(comment))).json()["body"] == body


async def test_backbone_may_wrap_a_comment(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/api/comments/", json={"comment": {**ARTICLE, "body": "Wrapped"}})
    comment = read_json(response, 201)
    assert comment["body"] == "Wrapped"
    edited = read_json(await alice.put(path(comment), json={"comment": {"body": "Wrapped again"}}), 200)
    assert edited["body"] == "Wrapped again"


async def test_members_that_the_server_decides_are_ignored(alice: httpx.AsyncClient) -> None:
    claims = {"user_id": str(uuid4()), "username": "Bob", "likes_count": 99, "seq": 500, "created_seq": 500,
              "created_at": "1999-01-01T00:00:00Z", "edited": True, "current_user_can_edit": False}  # fmt: skip
    comment = await write(alice, "Mine", **claims)
    assert (comment["username"], comment["likes_count"], comment["seq"]) == ("Alice", 0, 1)
    assert not comment["created_at"].startswith("1999")
    after = read_json(await alice.put(path(comment), json={**claims, "body": "Still mine", "commentable_id": "2"}), 200)
    assert (after["username"], after["likes_count"], after["seq"], after["commentable_id"]) == ("Alice", 0, 2, "1")


async def test_a_guest_must_sign_in_to_write(
    guest: httpx.AsyncClient, alice: httpx.AsyncClient, site_parley: Parley
) -> None:
    comment = await write(alice, "Hello")
    read_problem(await guest.post("/api/comments/", json={**ARTICLE, "body": "I too"}), 401)
    read_problem(await guest.put(path(comment), json={"body": "Mine now"}), 401)
    read_problem(await guest.patch(path(comment), json={"body": "Mine now"}), 401)
    read_problem(await guest.delete(path(comment)), 401)
    assert (await snapshot(guest))["comments"] == [{**comment, "current_user_can_edit": False}]
    assert await read_seq(site_parley) == 1


async def test_each_topic_has_its_own_counter(alice: httpx.AsyncClient) -> None:
    seqs = [(await write(alice, "Here", commentable_id=id_))["seq"] for id_ in ("1", "2", "1", "2", "1")]
    assert seqs == [1, 1, 2, 2, 3]
    page = await write(alice, "There", commentable_type="Page")
    assert page["seq"] == 1


async def test_a_commentable_id_is_any_printable_text(alice: httpx.AsyncClient) -> None:
    for id_ in ("a/b", "%2F?&#", "🦜" * 200):
        comment = await write(alice, "Odd", commentable_id=id_)
        assert comment["commentable_id"] == id_
        seen = await snapshot(alice, commentable_id=id_)
        assert seen["comments"] == [comment]
        assert seen["commentable"] == {"commentable_type": "Article", "commentable_id": id_, "seq": 1}


# -- the same id again --------------------------------------------------------------------------------------


async def test_alice_sends_the_same_comment_twice(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    id_ = str(uuid4())
    comment = await write(alice, "Once", id=id_)
    assert comment["id"] == id_
    response = await alice.post("/api/comments/", json={**ARTICLE, "id": id_, "body": "Once"})
    assert read_json(response, 200) == comment
    assert response.headers["etag"] == '"1"'
    assert await read_seq(site_parley) == 1


async def test_a_repeated_post_gets_the_comment_as_it_is_stored_now(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "Once", id=str(uuid4()))
    changed = await edit(alice, comment, "Thought better of it")
    response = await alice.post("/api/comments/", json={**ARTICLE, "id": comment["id"].upper(), "body": "Once"})
    assert read_json(response, 200) == changed


@pytest.mark.both_databases
async def test_twenty_tries_at_once_make_one_comment(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    new = {**ARTICLE, "id": str(uuid4()), "body": "Once"}
    responses = await asyncio.gather(*(alice.post("/api/comments/", json=new) for _ in range(20)))
    assert sorted(response.status_code for response in responses) == [200] * 19 + [201]
    assert await read_seq(site_parley) == 1


@pytest.mark.both_databases
async def test_two_topics_at_once_for_one_id_make_one_comment(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    id_ = str(uuid4())
    both = ({**ARTICLE, "id": id_, "body": "Here", "commentable_id": where} for where in ("1", "2", "3", "4"))
    responses = await asyncio.gather(*(alice.post("/api/comments/", json=new) for new in both))
    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409]
    assert await count_comments(site_parley) == 1
    assert sorted([await read_seq(site_parley, f"Article/{n}") or 0 for n in (1, 2, 3, 4)]) == [0, 0, 0, 1]


async def test_bob_may_not_use_alices_id(alice: httpx.AsyncClient, bob: httpx.AsyncClient, site_parley: Parley) -> None:
    comment = await write(alice, "Alice's", id=str(uuid4()))
    response = await bob.post("/api/comments/", json={**ARTICLE, "id": comment["id"], "body": "Bob's"})
    read_problem(response, 409)
    assert "Alice's" not in response.text
    assert (await alice.get(path(comment))).json() == comment
    assert await read_seq(site_parley) == 1


async def test_the_id_of_a_comment_cannot_be_used_in_another_topic(
    alice: httpx.AsyncClient, site_parley: Parley
) -> None:
    comment = await write(alice, "Here", id=str(uuid4()))
    elsewhere = {**ARTICLE, "commentable_id": "2", "id": comment["id"], "body": "There"}
    read_problem(await alice.post("/api/comments/", json=elsewhere), 409)
    assert await read_seq(site_parley, "Article/2") is None


async def test_a_deleted_comments_id_is_not_used_again(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    comment = await write(alice, "Gone", id=str(uuid4()))
    await delete(alice, comment)
    read_problem(await alice.post("/api/comments/", json={**ARTICLE, "id": comment["id"], "body": "Back"}), 409)
    read_problem(await alice.get(path(comment)), 404)
    assert await read_seq(site_parley) == 2


# -- replies ------------------------------------------------------------------------------------------------


async def test_bob_replies_to_alice(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    question = await write(alice, "Is there a step?")
    answer = await write(bob, "Always.", parent_id=question["id"])
    assert answer["parent_id"] == question["id"]


async def test_a_reply_must_be_under_the_same_commentable(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    there = await write(alice, "There", commentable_id="2")
    gone = await write(alice, "Gone")
    await delete(alice, gone)
    for parent in (there["id"], gone["id"], str(uuid4())):
        response = await alice.post("/api/comments/", json={**ARTICLE, "body": "Hm", "parent_id": parent})
        read_problem(response, 422, "parent_id")
    assert await read_seq(site_parley) == 2
    assert await count_comments(site_parley) == 2


async def test_a_comment_with_a_reply_can_be_deleted(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    question = await write(alice, "Is there a step?")
    answer = await write(bob, "Always.", parent_id=question["id"])
    await delete(alice, question)
    assert (await snapshot(bob))["comments"] == [answer]


# -- changing -----------------------------------------------------------------------------------------------


async def test_alice_edits_her_comment(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "A stepp")
    response = await alice.put(path(comment), json={**comment, "body": "A step"})
    edited = read_json(response, 200)
    changed = {name for name in edited if edited[name] != comment[name]}
    assert changed == {"body", "html", "seq", "updated_at", "edited"}
    assert (edited["body"], edited["seq"], edited["edited"]) == ("A step", 2, True)
    assert edited["updated_at"] > comment["updated_at"]
    assert response.headers["etag"] == '"2"'
    assert (await alice.get(path(comment))).json() == edited


async def test_patch_takes_a_body_and_needs_none(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    comment = await write(alice, "A stepp")
    assert read_json(await alice.patch(path(comment), json={}), 200) == comment
    assert read_json(await alice.patch(path(comment), json={"likes_count": 7}), 200) == comment
    assert await read_seq(site_parley) == 1
    assert read_json(await alice.patch(path(comment), json={"body": "A step"}), 200)["seq"] == 2
    read_problem(await alice.patch(path(comment), json={"body": ""}), 422, "body")
    read_problem(await alice.patch(path(comment), json={"body": None}), 422, "body")


async def test_an_unchanged_body_takes_no_seq(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    comment = await write(alice, "As it was")
    for method in ("PUT", "PATCH"):
        assert read_json(await alice.request(method, path(comment), json={"body": "As it was"}), 200) == comment
    assert await read_seq(site_parley) == 1
    assert (await write(alice, "Next"))["seq"] == 2


async def test_put_without_a_body_is_refused(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    comment = await write(alice, "As it was")
    read_problem(await alice.put(path(comment), json={}), 422, "body")
    read_problem(await alice.put(path(comment), json={"comment": {"likes_count": 1}}), 422, "body")
    assert (await alice.get(path(comment))).json() == comment
    assert await read_seq(site_parley) == 1


async def test_put_never_creates(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    for id_ in (uuid4(), "not-a-uuid"):
        read_problem(await alice.put(f"/api/comments/{id_}", json={**ARTICLE, "body": "New?"}), 404)
        read_problem(await alice.patch(f"/api/comments/{id_}", json={**ARTICLE, "body": "New?"}), 404)
    assert await count_comments(site_parley) == 0
    assert await read_seq(site_parley) is None


async def test_bob_may_not_edit_alices_comment(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site_parley: Parley
) -> None:
    comment = await write(alice, "Alice's")
    read_problem(await bob.put(path(comment), json={"body": "Bob's"}), 403)
    read_problem(await bob.patch(path(comment), json={"body": "Bob's"}), 403)
    read_problem(await bob.put(path(comment), json={"body": "Bob's"}, headers={"If-Match": '"0"'}), 403)
    assert (await alice.get(path(comment))).json() == comment
    assert await read_seq(site_parley) == 1


# -- deleting -----------------------------------------------------------------------------------------------


async def test_alice_deletes_her_comment(alice: httpx.AsyncClient, bob: httpx.AsyncClient, site_parley: Parley) -> None:
    comment = await write(alice, "Gone")
    response = await alice.delete(path(comment))
    assert (response.status_code, response.content) == (204, b"")
    read_problem(await alice.get(path(comment)), 404)
    read_problem(await bob.get(path(comment)), 404)
    assert (await snapshot(bob))["comments"] == []
    assert await read_seq(site_parley) == 2


async def test_deleting_twice_is_no_error_for_alice(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site_parley: Parley
) -> None:
    comment = await write(alice, "Gone")
    await delete(alice, comment)
    await delete(alice, comment)
    assert (await alice.delete(path(comment), headers={"If-Match": '"1"'})).status_code == 204
    assert await read_seq(site_parley) == 2
    read_problem(await bob.delete(path(comment)), 404)
    read_problem(await alice.put(path(comment), json={"body": "Back"}), 404)
    assert await read_seq(site_parley) == 2


async def test_bob_may_not_delete_alices_comment(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site_parley: Parley
) -> None:
    comment = await write(alice, "Alice's")
    read_problem(await bob.delete(path(comment)), 403)
    assert (await alice.get(path(comment))).json() == comment
    assert await read_seq(site_parley) == 1


async def test_deleting_a_comment_that_never_existed_is_not_found(alice: httpx.AsyncClient) -> None:
    read_problem(await alice.delete(f"/api/comments/{uuid4()}"), 404)
    read_problem(await alice.delete("/api/comments/17"), 404)


async def test_a_deleted_comments_content_is_gone_from_the_database(
    alice: httpx.AsyncClient, site_parley: Parley
) -> None:
    from uuid import UUID

    from app.comments.comments import Comment

    comment = await write(alice, "A secret")
    await delete(alice, comment)
    async with site_parley.reading() as reading:
        row = await reading.get(Comment, UUID(comment["id"]))
    assert row
    assert (row.body, row.username) == ("", "")


# -- If-Match -----------------------------------------------------------------------------------------------


async def test_an_edit_conflicts_with_a_newer_one_of_another_tab(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    comment = await write(alice, "First")
    edited = await edit(alice, comment, "Second")
    for answer in (
        await alice.put(path(comment), json={"body": "Third"}, headers={"If-Match": '"1"'}),
        await alice.patch(path(comment), json={"body": "Third"}, headers={"If-Match": '"1"'}),
        await alice.delete(path(comment), headers={"If-Match": '"1"'}),
    ):
        assert read_problem(answer, 412)["comment"] == edited
    assert await read_seq(site_parley) == 2
    third = read_json(await alice.put(path(comment), json={"body": "Third"}, headers={"If-Match": '"2"'}), 200)
    assert third["seq"] == 3
    assert (await alice.delete(path(comment), headers={"If-Match": '"3"'})).status_code == 204


async def test_a_like_is_no_conflict(alice: httpx.AsyncClient, other_parley: Parley) -> None:
    comment = await write(alice, "Likeable")
    await bump_seq(other_parley, comment)
    liked = (await alice.get(path(comment))).json()
    assert (liked["seq"], liked["likes_count"], liked["edited"]) == (2, 1, False)
    response = await alice.put(path(comment), json={"body": "Edited"}, headers={"If-Match": '"1"'})
    edited = read_json(response, 200)
    assert (edited["seq"], edited["likes_count"], edited["edited"]) == (3, 1, True)
    await bump_seq(other_parley, comment)
    for seen_before_the_edit in ('"1"', '"2"'):
        response = await alice.put(path(comment), json={"body": "Late"}, headers={"If-Match": seen_before_the_edit})
        assert read_problem(response, 412)["comment"]["body"] == "Edited"
    assert (await alice.delete(path(comment), headers={"If-Match": '"3"'})).status_code == 204


async def test_an_edit_without_a_change_can_be_stale(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "First")
    await edit(alice, comment, "Second")
    response = await alice.put(path(comment), json={"body": "Second"}, headers={"If-Match": '"1"'})
    read_problem(response, 412)


# -- reading ------------------------------------------------------------------------------------------------


async def test_everyone_may_read_and_only_alice_may_edit(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    comment = await write(alice, "Read me")
    for reader, may_edit in ((alice, True), (bob, False), (guest, False)):
        as_seen = {**comment, "current_user_can_edit": may_edit}
        assert (await reader.get(path(comment))).json() == as_seen
        assert (await snapshot(reader))["comments"] == [as_seen]


async def test_pages_lead_back_to_the_first_comment(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    written = [await write(alice, f"Number {n}") for n in range(7)]
    await delete(alice, written.pop(3))
    await edit(alice, written[0], "Edited, and still the first")
    pages, before = [], None
    while True:
        page = await snapshot(guest, limit=2, **({"before": before} if before else {}))
        pages.append([comment["id"] for comment in page["comments"]])
        before = page["before"]
        if before is None:
            break
        assert before == page["comments"][0]["created_seq"]
    ids = [comment["id"] for comment in written]
    assert pages == [ids[4:], ids[2:4], ids[:2]]


async def test_a_page_is_the_newest_fifty(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, other_parley: Parley
) -> None:
    first = await write(alice, "The first")
    await write_comments(other_parley, first, ["More"] * 50)
    newest = await snapshot(guest)
    assert [comment["created_seq"] for comment in newest["comments"]] == list(range(2, 52))
    assert newest["before"] == 2
    rest = await snapshot(guest, before=newest["before"])
    assert [comment["id"] for comment in rest["comments"]] == [first["id"]]
    assert rest["before"] is None
    whole = await snapshot(guest, limit=51)
    assert (len(whole["comments"]), whole["before"]) == (51, None)


async def test_an_unseen_commentable_is_an_empty_topic(guest: httpx.AsyncClient, site_parley: Parley) -> None:
    seen = await snapshot(guest, commentable_type="Page", commentable_id="never seen")
    assert seen["comments"] == []
    assert seen["before"] is None
    assert seen["cursor"]
    assert seen["commentable"] == {"commentable_type": "Page", "commentable_id": "never seen", "seq": 0}
    assert await read_seq(site_parley, "Page/never seen") is None


async def test_responses_are_not_stored_by_caches(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "For your eyes")
    for answer in (await alice.get(path(comment)), await alice.get("/api/comments/", params=ARTICLE)):
        assert answer.headers["cache-control"] == "no-store"


# -- paths and methods --------------------------------------------------------------------------------------


async def test_paths_answer_with_and_without_the_slash(alice: httpx.AsyncClient) -> None:
    for collection in ("/api/comments", "/api/comments/"):
        comment = read_json(await alice.post(collection, json={**ARTICLE, "body": "Hello"}), 201)
        read_json(await alice.get(collection, params=ARTICLE), 200)
        for slash in ("", "/"):
            one = path(comment) + slash
            read_json(await alice.get(one), 200)
            read_json(await alice.put(one, json={"body": f"Hello {slash}"}), 200)
            read_json(await alice.patch(one, json={"body": f"Hello again {slash}"}), 200)
        assert (await alice.delete(path(comment) + "/")).status_code == 204


async def test_head_has_the_headers_of_get(alice: httpx.AsyncClient) -> None:
    comment = await write(alice, "Hello")
    head, get = await alice.head(path(comment)), await alice.get(path(comment))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == get.headers["content-length"]
    assert (await alice.head("/api/comments/", params=ARTICLE)).status_code == 200
    assert (await alice.head(f"/api/comments/{uuid4()}")).status_code == 404
