"""The pages of a thread: texts stay text, and a long thread loads page by page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from playwright.async_api import Route

from app.accounts.user import User
from app.comments.comments import Comment
from app.live.topics import Topic
from tests.browser.people import Person
from tests.support.people import delete, edit, write

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import AddComments, OpenBrowser

PAYLOADS = (
    '<img src="/nowhere" onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    "<!--<script>window.hacked = 1",
    '"><svg onload="window.hacked = 1">',
    "{{ 7 * 7 }} ${7 * 7} <%= 7 * 7 %>",
    "&lt;b&gt;not bold&lt;/b&gt; &amp;",
    "javascript:window.hacked=1\nand a second line",
)


async def test_alice_and_a_guest_see_markup_as_text(alice: Person, guest: Person) -> None:
    for payload in PAYLOADS:
        await alice.write(payload)
    await guest.sees(*PAYLOADS)
    await guest.matches_server()
    await guest.reload()
    await guest.sees(*PAYLOADS)
    await guest.matches_server()
    for person in (alice, guest):
        assert await person.page.locator(".comment__body *").count() == 0
        assert await person.page.evaluate("window.hacked") is None


async def test_alice_and_a_guest_see_markup_in_a_name_as_text(alice: Person, guest: Person, served: Parley) -> None:
    payload = PAYLOADS[0]
    comment = await write(alice.client, "Who am I?")
    # Signing up refuses such a name, but a script that imports accounts could store it.
    account = Topic("User", comment["user_id"])
    async with served.writing(account, Topic("Article", "1")) as writing:
        user = await writing.get(User, UUID(comment["user_id"]))
        row = await writing.get(Comment, UUID(comment["id"]))
        assert user
        assert row
        user.username = row.username = payload
        writing.update(user)
        writing.update(row)
    for person in (alice, guest):
        await person.until("document.querySelector('.comment__author').textContent.startsWith('<img')", "the name")
        await person.matches_server()
        await person.reload()
        await person.matches_server()
        assert await person.page.evaluate("window.hacked") is None
    await alice.is_signed_in(payload)


async def test_alice_loads_earlier_comments_page_by_page_while_others_write(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(120)
    alice = await open_browser("Alice")
    earlier = alice.page.locator(".thread__earlier")
    assert await alice.bodies() == [f"Comment {number}" for number in range(70, 120)]

    fetched, released = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        fetched.set()
        await released.wait()
        await route.fulfill(response=response)

    await alice.page.route("**/api/comments/?*", hold)
    await earlier.click()
    await fetched.wait()
    # The held response is out of date before it arrives: comments before it, in it and after it change.
    await edit(carol_client, comments[10], "Comment 10, changed unseen")
    await edit(carol_client, comments[30], "Comment 30, changed meanwhile")
    await delete(carol_client, comments[40])
    await edit(carol_client, comments[90], "Comment 90, changed meanwhile")
    await delete(carol_client, comments[100])
    await write(carol_client, "Comment 120")
    await alice.until("parley.comments.last().get('body') === 'Comment 120'", "the newest")
    released.set()
    await alice.until("parley.comments.length > 60", "the earlier page")
    await window_matches_server(alice)
    assert len(await alice.bodies()) == 50 + 50 - 2 + 1

    await alice.page.unroute("**/api/comments/?*")
    await earlier.click()
    await alice.until("parley.comments.before === null", "the first comment")
    await alice.matches_server()
    assert not await earlier.is_visible()
    assert await alice.page.locator(".thread__count").inner_text() == "119 comments"


async def window_matches_server(person: Person) -> None:
    before: int = await person.page.evaluate("parley.comments.before")
    await person.matches_server([comment for comment in await person.snapshot() if comment["created_seq"] >= before])


async def test_alice_does_not_see_changes_of_comments_that_she_has_not_loaded(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(60)
    alice = await open_browser("Alice")
    await edit(carol_client, comments[3], "Comment 3, changed")
    await delete(carol_client, comments[4])
    await delete(carol_client, comments[59])
    await alice.until("parley.comments.last().get('body') === 'Comment 58'", "the last comment to be deleted")
    await window_matches_server(alice)


async def test_alice_can_load_earlier_comments_again_after_an_error(
    open_browser: OpenBrowser, add_comments: AddComments, page_errors: Any
) -> None:
    page_errors.allow("Failed to load resource")
    await add_comments(52)
    alice = await open_browser("Alice")
    await alice.page.route("**/api/comments/?*", lambda route: route.fulfill(status=503))
    await alice.page.locator(".thread__earlier").click()
    await alice.page.locator(".thread__problem").wait_for()
    await alice.page.unroute("**/api/comments/?*")
    await alice.page.locator(".thread__earlier").click()
    await alice.until("parley.comments.length === 52", "all comments")
    await alice.matches_server()
    assert not await alice.page.locator(".thread__problem").is_visible()


async def test_alice_reads_on_at_the_same_place_while_comments_above_change(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(60)
    alice = await open_browser("Alice")
    body = "Comment 40"
    await alice.comment(body).evaluate("(element) => element.scrollIntoView({ block: 'start', behavior: 'instant' })")
    top = "(element) => Math.round(element.getBoundingClientRect().top)"
    before = await alice.comment(body).evaluate(top)
    await delete(carol_client, comments[20])
    await edit(carol_client, comments[21], "Comment 21\nand\nmany\nmore\nlines")
    await write(carol_client, "Comment 60")
    await alice.until("parley.comments.last().get('body') === 'Comment 60'", "the newest")
    assert abs(await alice.comment(body).evaluate(top) - before) <= 1
