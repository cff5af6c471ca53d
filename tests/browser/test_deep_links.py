"""Deep links: a link to a comment loads the page around it, and a reader continues from there in both directions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.browser.people import Person
from tests.browser.test_replies import sees_tree
from tests.support.people import delete, edit, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import AddComments, OpenBrowser

NOT_FOUND = "The comment you're looking for no longer exists."


@pytest.fixture
async def comments(add_comments: AddComments) -> list[dict[str, Any]]:
    return await add_comments(200)


def bodies_between(first: int, beyond: int) -> list[str]:
    return [f"Comment {number}" for number in range(first, beyond)]


async def sees_target(person: Person, comment: dict[str, Any]) -> None:
    """Wait until the comment has the focus, is marked, and is inside the window."""
    await person.focus_is_on(f"#comment-{comment['id']}.is-target")
    await person.until(
        f"document.getElementById('comment-{comment['id']}').getBoundingClientRect().top > -1"
        f" && document.getElementById('comment-{comment['id']}').getBoundingClientRect().bottom <= innerHeight",
        "the comment in the window",
    )


async def test_alice_follows_a_link_to_an_old_comment(
    open_browser: OpenBrowser, comments: list[dict[str, Any]]
) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await sees_target(alice, comments[60])
    await sees_tree(alice, *bodies_between(36, 86))


async def test_alice_reads_on_from_an_old_comment_in_both_directions_while_others_write(
    open_browser: OpenBrowser, comments: list[dict[str, Any]], carol_client: httpx.AsyncClient
) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await sees_target(alice, comments[60])
    later, earlier = alice.page.locator(".thread__later"), alice.page.locator(".thread__earlier")
    await write(carol_client, "New 1")
    await delete(carol_client, await write(carol_client, "New 2"))
    await alice.until(
        "document.querySelector('.thread__later').textContent.includes('(1 more)')", "the number of later comments"
    )
    await edit(carol_client, comments[70], "Comment 70, changed")
    changed = [*bodies_between(36, 70), "Comment 70, changed", *bodies_between(71, 86)]
    await sees_tree(alice, *changed)
    await earlier.click()
    await sees_tree(alice, *bodies_between(0, 36), *changed)
    assert not await earlier.is_visible()
    for beyond in (136, 186):
        await later.click()
        await sees_tree(alice, *bodies_between(0, 36), *changed, *bodies_between(86, beyond))
    await later.click()
    await alice.until("parley.comments.after === null", "the live end")
    await write(carol_client, "New 3")
    await alice.matches_server()
    assert not await later.is_visible()


async def test_alice_returns_to_the_newest_comments(
    open_browser: OpenBrowser, comments: list[dict[str, Any]], carol_client: Any
) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await sees_target(alice, comments[60])
    await alice.page.locator(".thread__newest").click()
    await sees_tree(alice, *bodies_between(150, 200))
    await alice.focus_is_on(f"#comment-{comments[199]['id']}")
    assert await alice.page.evaluate("location.hash") == ""
    await write(carol_client, "New")
    await alice.sees(*bodies_between(150, 200), "New")


async def test_alice_writes_from_an_old_page_and_sees_her_comment_at_the_end(
    open_browser: OpenBrowser, comments: list[dict[str, Any]]
) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await sees_target(alice, comments[60])
    await alice.write("Mine")
    await alice.until("parley.comments.after === null", "the live end")
    await alice.is_settled()
    assert (await alice.bodies())[-2:] == ["Comment 199", "Mine"]


async def test_a_guest_who_signs_up_at_an_old_comment_stays_there(
    guest: Person, comments: list[dict[str, Any]]
) -> None:
    await guest.go("/")
    await guest.go(f"/Article/1#comment-{comments[60]['id']}")
    await sees_target(guest, comments[60])
    await guest.page.locator(".account__sign-up").click()
    await guest.sign_up("Dave")
    await guest.is_ready()
    await sees_tree(guest, *bodies_between(36, 86))


async def test_alice_follows_links_to_comments_in_the_same_page(
    open_browser: OpenBrowser, comments: list[dict[str, Any]]
) -> None:
    alice = await open_browser("Alice")
    for number in (170, 20, 25):  # in the page, not in the page, in the page that the second link loaded
        await alice.page.evaluate("(id) => { location.hash = `comment-${id}`; }", comments[number]["id"])
        await sees_target(alice, comments[number])


async def test_alice_is_notified_that_a_linked_comment_no_longer_exists(
    open_browser: OpenBrowser, comments: list[dict[str, Any]], carol_client: httpx.AsyncClient, page_errors: Any
) -> None:
    page_errors.allow("Failed to load resource")
    await delete(carol_client, comments[60])
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    lost = alice.page.locator(".thread__lost")
    await lost.wait_for()
    assert await lost.inner_text() == NOT_FOUND
    await sees_tree(alice, *bodies_between(35, 60), *bodies_between(61, 86))  # the page around its place
    await alice.until(
        f"document.querySelector('.announcer').textContent.includes({json.dumps(NOT_FOUND)})", "the announcement"
    )
    await alice.go("/")
    await alice.go(f"/Article/1#comment-{uuid4()}")
    await lost.wait_for()
    await sees_tree(alice, *bodies_between(150, 200))
    await alice.page.evaluate("(id) => { location.hash = `comment-${id}`; }", comments[180]["id"])
    await sees_target(alice, comments[180])
    assert not await lost.is_visible()


async def test_alice_follows_a_link_to_a_deleted_comment_with_replies(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    one = await write(carol_client, "One")
    await write(carol_client, "On one", parent_id=one["id"])
    await delete(carol_client, one)
    await sees_tree(alice, "(gone)", "> On one")
    await alice.page.evaluate("(id) => { location.hash = `comment-${id}`; }", one["id"])
    await alice.focus_is_on(f"[data-gone-id='{one['id']}']")
    assert await alice.page.locator(".thread__lost").inner_text() == NOT_FOUND
