"""Links to a comment: its page is loaded, wherever that is, and a thread is read on from there in both directions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.browser.people import Person
from tests.browser.test_replies import draws
from tests.support.people import delete, edit, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import AddComments, OpenBrowser

GONE = "The comment you're looking for no longer exists."


@pytest.fixture
async def comments(add_comments: AddComments) -> list[dict[str, Any]]:
    return await add_comments(200)


def numbered(first: int, beyond: int) -> list[str]:
    return [f"Comment {number}" for number in range(first, beyond)]


async def is_led_to(person: Person, comment: dict[str, Any]) -> None:
    """Waits until it has the focus, is marked, and is before her eyes."""
    await person.focus_is_on(f"#comment-{comment['id']}.is-target")
    await person.until(
        f"document.getElementById('comment-{comment['id']}').getBoundingClientRect().top > -1"
        f" && document.getElementById('comment-{comment['id']}').getBoundingClientRect().bottom <= innerHeight",
        "it",
    )


async def test_a_link_leads_to_a_comment_of_long_ago(open_browser: OpenBrowser, comments: list[dict[str, Any]]) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await is_led_to(alice, comments[60])
    await draws(alice, *numbered(36, 86))


async def test_from_there_one_reads_on_in_both_directions_while_others_write(
    open_browser: OpenBrowser, comments: list[dict[str, Any]], carol_client: httpx.AsyncClient
) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await is_led_to(alice, comments[60])
    later, earlier = alice.page.locator(".thread__later"), alice.page.locator(".thread__earlier")
    await write(carol_client, "New 1")
    await delete(carol_client, await write(carol_client, "New 2"))
    await alice.until("document.querySelector('.thread__later').textContent.includes('(1 more)')", "one more")
    await edit(carol_client, comments[70], "Comment 70, changed")
    changed = [*numbered(36, 70), "Comment 70, changed", *numbered(71, 86)]
    await draws(alice, *changed)
    await earlier.click()
    await draws(alice, *numbered(0, 36), *changed)
    assert not await earlier.is_visible()
    for beyond in (136, 186):
        await later.click()
        await draws(alice, *numbered(0, 36), *changed, *numbered(86, beyond))
    await later.click()
    await alice.until("parley.comments.after === null", "the live end")
    await write(carol_client, "New 3")
    await alice.matches_server()
    assert not await later.is_visible()


async def test_go_to_the_newest_leads_back(
    open_browser: OpenBrowser, comments: list[dict[str, Any]], carol_client: Any
) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await is_led_to(alice, comments[60])
    await alice.page.locator(".thread__newest").click()
    await draws(alice, *numbered(150, 200))
    await alice.focus_is_on(f"#comment-{comments[199]['id']}")
    assert await alice.page.evaluate("location.hash") == ""
    await write(carol_client, "New")
    await alice.sees(*numbered(150, 200), "New")


async def test_what_one_writes_there_stands_at_the_end(
    open_browser: OpenBrowser, comments: list[dict[str, Any]]
) -> None:
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    await is_led_to(alice, comments[60])
    await alice.write("Mine")
    await alice.until("parley.comments.after === null", "the live end")
    await alice.is_settled()
    assert (await alice.bodies())[-2:] == ["Comment 199", "Mine"]


async def test_who_signs_in_there_stays_there(guest: Person, comments: list[dict[str, Any]]) -> None:
    await guest.go("/")
    await guest.go(f"/Article/1#comment-{comments[60]['id']}")
    await is_led_to(guest, comments[60])
    await guest.page.locator(".account__sign-up").click()
    await guest.sign_up("Dave")
    await guest.is_ready()
    await draws(guest, *numbered(36, 86))


async def test_a_link_in_the_page_leads_there_too(open_browser: OpenBrowser, comments: list[dict[str, Any]]) -> None:
    alice = await open_browser("Alice")
    for number in (170, 20, 25):  # loaded, not loaded, loaded by then
        await alice.page.evaluate("(id) => { location.hash = `comment-${id}`; }", comments[number]["id"])
        await is_led_to(alice, comments[number])


async def test_of_what_is_gone_it_is_said(
    open_browser: OpenBrowser, comments: list[dict[str, Any]], carol_client: httpx.AsyncClient, page_errors: Any
) -> None:
    page_errors.allow("Failed to load resource")
    await delete(carol_client, comments[60])
    alice = await open_browser("Alice", at=f"/Article/1#comment-{comments[60]['id']}")
    lost = alice.page.locator(".thread__lost")
    await lost.wait_for()
    assert await lost.inner_text() == GONE
    await draws(alice, *numbered(35, 60), *numbered(61, 86))  # where it was
    await alice.until(f"document.querySelector('.announcer').textContent.includes({json.dumps(GONE)})", "it read out")
    await alice.go("/")
    await alice.go(f"/Article/1#comment-{uuid4()}")
    await lost.wait_for()
    await draws(alice, *numbered(150, 200))
    await alice.page.evaluate("(id) => { location.hash = `comment-${id}`; }", comments[180]["id"])
    await is_led_to(alice, comments[180])
    assert not await lost.is_visible()


async def test_what_is_left_of_a_comment_can_be_led_to(alice: Person, carol_client: httpx.AsyncClient) -> None:
    one = await write(carol_client, "One")
    await write(carol_client, "On one", parent_id=one["id"])
    await delete(carol_client, one)
    await draws(alice, "(gone)", "> On one")
    await alice.page.evaluate("(id) => { location.hash = `comment-${id}`; }", one["id"])
    await alice.focus_is_on(f"[data-gone-id='{one['id']}']")
    assert await alice.page.locator(".thread__lost").inner_text() == GONE
