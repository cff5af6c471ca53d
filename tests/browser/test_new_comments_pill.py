"""The pill that counts new comments below the window, and leads to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser.layout_shifts import assert_no_jumps, watch_layout
from tests.support.people import delete, edit, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import AddComments, OpenBrowser
    from tests.browser.people import Person

pytestmark = pytest.mark.motion

LONG = "\n".join(["A longer thought"] * 12)
RECORD_ARRIVALS = (
    "() => { window.arrived = []; parley.bus.on('local.comments.arrived', (n) => window.arrived.push(n)); }"
)


async def sees_pill(person: Person, words: str) -> None:
    await person.until(f"document.querySelector('.pill').innerText.trim() === {json.dumps(words)}", words)


async def has_no_pill(person: Person) -> None:
    await person.until("!document.querySelector('.pill').checkVisibility()", "no pill")


async def test_alice_follows_the_pill_to_new_comments_below(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(30)
    alice = await open_browser("Alice")
    await alice.page.evaluate(RECORD_ARRIVALS)
    await watch_layout(alice)
    for count, words in enumerate(("1 new comment", "2 new comments", "3 new comments"), 1):
        await write(carol_client, f"New {count}")
        await sees_pill(alice, words)
    assert len(await alice.shown()) == 33
    assert sum(await alice.page.evaluate("arrived")) == 3
    await alice.until(
        "/new comments?\\.|New comment by/.test(document.querySelector('.announcer').textContent)", "the news"
    )
    assert await alice.page.evaluate("scrollY") == 0
    await assert_no_jumps(alice)

    await alice.tab_to(".pill")
    await alice.page.keyboard.press("Enter")
    await alice.until("document.activeElement.querySelector('.comment__body')?.textContent === 'New 1'", "the focus")
    await has_no_pill(alice)
    assert await alice.comment("New 1").evaluate("(el) => el.getBoundingClientRect().top < innerHeight")
    assert await alice.page.locator(".comment.is-new").count() == 3
    await alice.matches_server()


async def test_alice_scrolls_to_new_comments_and_the_pill_disappears(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(30)
    alice = await open_browser("Alice")
    for body in ("New 1", f"New 2\n{LONG}\n{LONG}\n{LONG}", "New 3"):
        comment = await write(carol_client, body)
    await sees_pill(alice, "3 new comments")
    await alice.comment("New 1").evaluate("(el) => el.scrollIntoView({ block: 'start', behavior: 'instant' })")
    await sees_pill(alice, "1 new comment")
    await delete(carol_client, comment)
    await has_no_pill(alice)
    await write(carol_client, "New 4")
    await sees_pill(alice, "1 new comment")
    await alice.page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")
    await has_no_pill(alice)


async def test_alice_sees_new_comments_without_a_pill_at_the_live_end(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(30)
    alice = await open_browser("Alice")
    await alice.scroll_to_composer()
    await write(carol_client, "New")
    await alice.page.locator(".comment.is-new").wait_for()
    assert not await alice.page.locator(".pill").is_visible()


async def test_alice_sees_no_pill_for_her_own_or_for_old_comments(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(60)
    alice = await open_browser("Alice")
    await alice.page.evaluate(RECORD_ARRIVALS)
    await write(alice.client, "From my other device")
    await edit(carol_client, comments[50], "Changed")
    await alice.page.locator(".thread__earlier").click()
    await alice.until("parley.comments.length === 61", "all comments")
    await alice.write("Mine")
    await alice.is_settled()
    assert await alice.page.evaluate("arrived") == []
    assert not await alice.page.locator(".pill").is_visible()
