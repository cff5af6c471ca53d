"""The thread as a whole: text that stays text, and long conversations read page by page."""

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


async def test_markup_stays_text(alice: Person, guest: Person) -> None:
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


async def test_markup_in_a_name_stays_text(alice: Person, guest: Person, served: Parley) -> None:
    payload = PAYLOADS[0]
    comment = await write(alice.client, "Who am I?")
    # No sign-up takes such a name; a script that copies accounts from elsewhere might.
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


async def test_earlier_comments_are_loaded_page_by_page_while_others_write(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(120)
    alice = await open_browser("Alice")
    earlier = alice.page.locator(".thread__earlier")
    assert await alice.bodies() == [f"Comment {number}" for number in range(70, 120)]

    read, let_through = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        read.set()
        await let_through.wait()
        await route.fulfill(response=response)

    await alice.page.route("**/api/comments/?*", hold)
    await earlier.click()
    await read.wait()
    # What is on its way to her is out of date before it arrives: behind, inside and before the loaded window.
    await edit(carol_client, comments[10], "Comment 10, changed unseen")
    await edit(carol_client, comments[30], "Comment 30, changed meanwhile")
    await delete(carol_client, comments[40])
    await edit(carol_client, comments[90], "Comment 90, changed meanwhile")
    await delete(carol_client, comments[100])
    await write(carol_client, "Comment 120")
    await alice.until("parley.comments.last().get('body') === 'Comment 120'", "the newest")
    let_through.set()
    await alice.until("parley.comments.length > 60", "the page before")
    await sees_the_truth_of_the_window(alice)
    assert len(await alice.bodies()) == 50 + 50 - 2 + 1

    await alice.page.unroute("**/api/comments/?*")
    await earlier.click()
    await alice.until("parley.comments.before === null", "the beginning")
    await alice.matches_server()
    assert not await earlier.is_visible()
    assert await alice.page.locator(".thread__count").inner_text() == "119 comments"


async def sees_the_truth_of_the_window(person: Person) -> None:
    before: int = await person.page.evaluate("parley.comments.before")
    await person.matches_server([comment for comment in await person.snapshot() if comment["created_seq"] >= before])


async def test_changes_outside_the_window_stay_outside(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(60)
    alice = await open_browser("Alice")
    await edit(carol_client, comments[3], "Comment 3, changed")
    await delete(carol_client, comments[4])
    await delete(carol_client, comments[59])
    await alice.until("parley.comments.last().get('body') === 'Comment 58'", "the last one's end")
    await sees_the_truth_of_the_window(alice)


async def test_a_failed_page_of_earlier_comments_can_be_asked_for_again(
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
    await alice.until("parley.comments.length === 52", "all of them")
    await alice.matches_server()
    assert not await alice.page.locator(".thread__problem").is_visible()


async def test_what_one_reads_stays_where_it_is(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(60)
    alice = await open_browser("Alice")
    read = "Comment 40"
    await alice.comment(read).evaluate("(element) => element.scrollIntoView({ block: 'start' })")
    top = "(element) => Math.round(element.getBoundingClientRect().top)"
    before = await alice.comment(read).evaluate(top)
    await delete(carol_client, comments[20])
    await edit(carol_client, comments[21], "Comment 21\nand\nmany\nmore\nlines")
    await write(carol_client, "Comment 60")
    await alice.until("parley.comments.last().get('body') === 'Comment 60'", "the newest")
    assert abs(await alice.comment(read).evaluate(top) - before) <= 1
