"""Threads over REST: pages in both directions and around a comment, and the ancestors of replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.people import delete, read_json, snapshot, write
from tests.support.people_without_http import hide_comment
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.support.serving import Site

PLACE = {"commentable_type": "Article", "commentable_id": "1"}


@pytest.fixture
def site(sqlite_site: Site) -> Site:
    """The kind of database does not matter here."""
    return sqlite_site


async def fill(client: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    return [await write(client, str(number)) for number in range(count)]


def bodies(page: dict[str, Any]) -> str:
    return " ".join(comment["body"] for comment in page["comments"])


async def ancestors_of(client: httpx.AsyncClient, comment: dict[str, Any]) -> Any:
    return read_json(await client.get(f"/api/comments/{comment['id']}/ancestors/"), 200)["ancestors"]


# -- pages ----------------------------------------------------------------------------------------------------


async def test_pages_lead_back_and_forth(alice: httpx.AsyncClient) -> None:
    await fill(alice, 10)
    newest = await snapshot(alice, limit=4)
    assert (bodies(newest), newest["after"]) == ("6 7 8 9", None)
    middle = await snapshot(alice, limit=4, before=newest["before"])
    assert (bodies(middle), middle["before"], middle["after"]) == ("2 3 4 5", 3, 6)
    first = await snapshot(alice, limit=4, before=middle["before"])
    assert (bodies(first), first["before"], first["after"]) == ("0 1", None, 2)
    again = await snapshot(alice, limit=4, after=first["after"])
    assert (again["comments"], again["before"], again["after"]) == (middle["comments"], 3, 6)
    last = await snapshot(alice, limit=4, after=again["after"])
    assert (last["comments"], last["before"], last["after"]) == (newest["comments"], 7, None)


async def test_a_page_beyond_either_end_links_to_the_comments(alice: httpx.AsyncClient) -> None:
    await fill(alice, 3)
    below = await snapshot(alice, before=1)
    assert (below["comments"], below["before"], below["after"]) == ([], None, 0)
    above = await snapshot(alice, after=3)
    assert (above["comments"], above["before"], above["after"]) == ([], 4, None)
    assert bodies(await snapshot(alice, after=below["after"])) == "0 1 2"
    assert bodies(await snapshot(alice, before=above["before"])) == "0 1 2"


@pytest.mark.parametrize(
    ("number", "shown", "before", "after"),
    [(5, "4 5 6 7", 5, 8), (0, "0 1 2 3", None, 4), (9, "6 7 8 9", 7, None), (1, "0 1 2 3", None, 4)],
)
async def test_a_link_leads_to_the_page_around_its_comment(
    number: int, shown: str, before: int | None, after: int | None, alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    comments = await fill(alice, 10)
    page = await snapshot(guest, limit=4, around=comments[number]["id"])
    assert (bodies(page), page["before"], page["after"]) == (shown, before, after)


async def test_a_link_to_a_deleted_comment_shows_its_place(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    comments = await fill(alice, 10)
    await delete(alice, comments[5])
    await hide_comment(site_parley, comments[6]["id"])
    for gone in (5, 6):
        page = await snapshot(guest, limit=4, around=comments[gone]["id"])
        assert comments[gone]["id"] not in {comment["id"] for comment in page["comments"]}
        assert bodies(page) == "3 4 7 8"
    assert bodies(await snapshot(alice, limit=4, around=comments[6]["id"])) == "4 6 7 8"


async def test_a_link_to_a_comment_that_never_existed_is_not_found(alice: httpx.AsyncClient) -> None:
    there = await write(alice, "There", commentable_id="2")
    for id_ in (there["id"], uuid4()):
        read_problem(await alice.get("/api/comments/", params={**PLACE, "around": str(id_)}), 404)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"before": 1, "after": 1}, ("before", "after")),
        ({"after": 1, "around": str(uuid4())}, ("after", "around")),
        ({"around": "57"}, ("around",)),
        ({"after": -1}, ("after",)),
    ],
)
async def test_a_page_is_requested_by_one_parameter_only(
    query: dict[str, Any], fields: tuple[str, ...], guest: httpx.AsyncClient
) -> None:
    response = await guest.get("/api/comments/", params={**PLACE, **query})
    read_problem(response, 422, *fields)


# -- replies --------------------------------------------------------------------------------------------------


async def test_replies_have_their_ancestors_down_to_the_fourth_level(alice: httpx.AsyncClient) -> None:
    above: list[str] = []
    parent: dict[str, Any] | None = None
    for depth in range(7):
        reply = await write(alice, f"Depth {depth}", parent_id=parent and parent["id"])
        assert reply["path"] == above[:4]
        assert reply["parent_id"] == (parent and parent["id"])
        above, parent = [*reply["path"], reply["id"]], reply


async def test_a_page_contains_the_ancestors_of_its_replies(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    root = await write(alice, "Root")
    branch = await write(alice, "Branch", parent_id=root["id"])
    twig = await write(alice, "Twig", parent_id=branch["id"])
    leaf = await write(alice, "Leaf", parent_id=twig["id"])
    page = await snapshot(guest, limit=1)
    assert page["ancestors"] == [{**above, "current_user_can_edit": False} for above in (root, branch, twig)]
    await delete(alice, branch)
    await hide_comment(site_parley, twig["id"])
    whole, gone, hidden = (await snapshot(guest, limit=1))["ancestors"]
    assert whole["body"] == "Root"
    for tombstone, parent, said in ((gone, root, set()), (hidden, branch, {"removed_by"})):
        assert tombstone.keys() == said | {
            "id", "commentable_type", "commentable_id", "seq", "created_seq", "parent_id", "path", "deleted",
        }  # fmt: skip
        assert tombstone["deleted"] is True
        assert tombstone["parent_id"] == parent["id"]
    assert hidden["removed_by"] == "moderator"
    assert [above["id"] for above in (await snapshot(guest))["ancestors"]] == [branch["id"], twig["id"]]
    assert [above.get("body") for above in await ancestors_of(alice, leaf)] == ["Root", None, "Twig"]
    assert await ancestors_of(guest, leaf) == [whole, gone, hidden]


async def test_missing_comments_have_no_ancestors(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    root = await write(alice, "Root")
    assert await ancestors_of(guest, root) == []
    await hide_comment(site_parley, root["id"])
    for id_ in (root["id"], uuid4(), "57"):
        read_problem(await guest.get(f"/api/comments/{id_}/ancestors/"), 404)


async def test_the_server_orders_a_thread_as_the_browser_does(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    one = await write(alice, "One")
    await write(alice, "Two")
    reply = await write(alice, "On **one**", parent_id=one["id"])
    await write(alice, "On it", parent_id=reply["id"])
    await delete(alice, one)
    html = (await guest.get("/Article/1")).text
    wanted = ["This comment was deleted.</li>", "<strong>one</strong>", "On it", "Two"]
    places = [html.index(words) for words in wanted]
    assert places == sorted(places)
    assert f'data-comment-id="{reply["id"]}" data-depth="1"' in html
    await hide_comment(site_parley, reply["id"])
    assert "This comment was removed by a moderator.</li>" in (await guest.get("/Article/1")).text


async def test_a_comment_says_whether_its_text_has_markup(alice: httpx.AsyncClient) -> None:
    plain = await write(alice, "Two  words\n\n# and <no> more")
    assert plain["plain"] is True
    marked = await write(alice, "Two **words**")
    assert (marked["plain"], marked["html"]) == (False, '<p dir="auto">Two <strong>words</strong></p>')
