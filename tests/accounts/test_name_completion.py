"""Completion of names after an `@`: signed-in people get a few ids and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.people import ARTICLE, delete, person, read_json, write
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site

PATH = "/api/users/"


async def list_names(client: httpx.AsyncClient, prefix: str, **more: str) -> list[str]:
    answer: dict[str, Any] = read_json(await client.get(PATH, params={"prefix": prefix, **more}), 200)
    assert all(user.keys() == {"id", "username"} for user in answer["users"])
    return [user["username"] for user in answer["users"]]


async def test_names_are_found_by_their_beginning(alice: httpx.AsyncClient, site: Site) -> None:
    async with person(site, "Zoë Newcomer", email="zoe@example.com"), person(site, "Zora"), person(site, "Azo"):
        assert await list_names(alice, "zo") == ["Zora", "Zoë Newcomer"]
        assert await list_names(alice, "ZOË NEW") == ["Zoë Newcomer"]
        assert await list_names(alice, "zoë_new") == ["Zoë Newcomer"]
        assert await list_names(alice, "ali") == [], "your own name is not completed"
        for nobody in ("%", "_", "zo%", "\\", "x'; --"):
            assert await list_names(alice, nobody) == [], nobody


async def test_people_who_have_commented_there_come_first(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site: Site
) -> None:
    async with person(site, "Zora"), person(site, "Zoë Newcomer", email="zoe@example.com") as zoe:
        comment = await write(zoe, "Here I am")
        assert await list_names(alice, "zo", **ARTICLE) == ["Zoë Newcomer", "Zora"]
        assert await list_names(alice, "zo", commentable_type="Page", commentable_id="about") == [
            "Zora",
            "Zoë Newcomer",
        ]
        await delete(zoe, comment)
        assert await list_names(alice, "zo", **ARTICLE) == ["Zora", "Zoë Newcomer"]


async def test_eight_names_are_returned_at_most(alice: httpx.AsyncClient, site: Site) -> None:
    for number in range(10):
        async with person(site, f"Many {number}", email=f"many{number}@example.com"):
            pass
    assert len(await list_names(alice, "many")) == 8


async def test_names_of_deleted_accounts_are_not_completed(alice: httpx.AsyncClient, site: Site) -> None:
    from tests.support.people import PASSWORD

    async with person(site, "Zora") as zora:
        leaving = {"current_password": PASSWORD, "comments": "keep"}
        assert (await zora.post("/api/account/deletion", json=leaving)).status_code == 204
    assert await list_names(alice, "zo") == []
    assert await list_names(alice, "deleted") == []


async def test_a_bad_prefix_is_refused(alice: httpx.AsyncClient) -> None:
    read_problem(await alice.get(PATH), 422, "prefix")
    for prefix in ("", " ", "x" * 31, "\0"):
        read_problem(await alice.get(PATH, params={"prefix": prefix}), 422, "prefix")


async def test_a_topic_is_given_with_type_and_id_or_not_at_all(alice: httpx.AsyncClient) -> None:
    read_problem(await alice.get(PATH, params={"prefix": "a", "commentable_id": "1"}), 422, "commentable_type")
    place = {"commentable_type": "Planet", "commentable_id": "1"}
    read_problem(await alice.get(PATH, params={"prefix": "a", **place}), 422, "commentable_type")


async def test_guests_get_no_names(guest: httpx.AsyncClient) -> None:
    read_problem(await guest.get(PATH, params={"prefix": "a"}), 401)
