"""The stability of the layout: parts of a page do not jump while comments arrive, grow, shrink or disappear."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.async_api import Route

from tests.browser.layout_shifts import assert_no_jumps, assert_no_layout_shifts, watch_layout
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.readability import PHONE
from tests.browser.test_connection_status import set_stream_state, trigger_event
from tests.browser.test_new_comments_pill import sees_pill
from tests.support.people import delete, edit, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import AddComments, OpenBrowser
    from tests.browser.people import Person

pytestmark = pytest.mark.motion

TALL = {"width": 1280, "height": 3_000}
LONG = "\n".join(["A longer thought"] * 12)
TOP = "(element) => Math.round(element.getBoundingClientRect().top)"
FOCUS = "(element) => element.focus({ preventScroll: true })"


async def test_alice_and_a_guest_see_nothing_move_while_a_page_loads(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(30)
    await edit(carol_client, comments[0], "Changed")
    for name, viewport in (("Alice", PHONE), ("Bob", {"width": 1280, "height": 720}), ("Dora", TALL)):
        alice = await open_browser(name, viewport=viewport)
        await write(alice.client, "Mine")
        for path in ("/Article/1", "/"):
            await alice.go(path)
            await assert_no_layout_shifts(alice)
    guest = await open_browser(viewport=PHONE)
    await assert_no_layout_shifts(guest)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
async def test_alice_sees_no_jump_while_comments_arrive_and_grow_and_disappear(
    motion: Literal["no-preference", "reduce"],
    open_browser: OpenBrowser,
    carol_client: httpx.AsyncClient,
    add_comments: AddComments,
) -> None:
    alice = await open_browser("Alice", reduced_motion=motion)
    await watch_layout(alice)
    first = await write(carol_client, "The first word")  # it replaces the text of an empty thread
    await alice.page.locator(".comment").wait_for()
    await assert_no_jumps(alice)
    comments = [first, *await add_comments(20)]
    await alice.sees_newest("Comment 19")

    await alice.scroll_to_composer()
    await watch_layout(alice)
    await write(carol_client, "At the live end")
    await alice.sees_newest("At the live end")
    await assert_no_jumps(alice)
    await edit(carol_client, comments[-1], f"Comment 19\n{LONG}")  # inside the window
    await alice.until("document.body.textContent.includes('A longer thought')", "the longer text")
    await assert_no_jumps(alice)

    await alice.comment("Comment 10").evaluate("(el) => el.scrollIntoView({ block: 'start', behavior: 'instant' })")
    await watch_layout(alice)
    before = await alice.comment("Comment 10").evaluate(TOP)
    await edit(carol_client, comments[2], f"Comment 1\n{LONG}")
    await delete(carol_client, comments[3])
    await write(carol_client, "Far below")
    await alice.sees_newest("Far below")
    await assert_no_jumps(alice)
    assert abs(await alice.comment("Comment 10").evaluate(TOP) - before) <= 1
    await delete(carol_client, comments[13])  # inside the window
    await alice.until("parley.comments.length === 21", "the comment to disappear")
    await assert_no_jumps(alice)
    await delete(carol_client, comments[11])  # the first comment in the window
    await alice.until("parley.comments.length === 20", "the comment to disappear")
    await assert_no_jumps(alice)


async def test_alice_types_on_in_the_same_place_while_comments_change(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(20)
    alice = await open_browser("Alice")
    await alice.scroll_to_composer()
    await alice.composer.evaluate(FOCUS)
    await watch_layout(alice)
    before = await alice.composer.evaluate(TOP)
    await write(carol_client, f"New\n{LONG}")
    await edit(carol_client, comments[18], f"Comment 18\n{LONG}")
    await delete(carol_client, comments[19])
    await alice.until("parley.comments.length === 20", "all changes")
    await assert_no_jumps(alice)
    assert abs(await alice.composer.evaluate(TOP) - before) <= 1
    await alice.focus_is_on(".composer textarea")


async def test_alice_stays_below_the_list_while_a_comment_arrives(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(20)
    alice = await open_browser("Alice", viewport={"width": 800, "height": 300})
    await alice.page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")
    await watch_layout(alice)
    before = await alice.composer.evaluate(TOP)
    await write(carol_client, LONG)
    await alice.sees_newest(LONG)
    await assert_no_jumps(alice)
    assert abs(await alice.composer.evaluate(TOP) - before) <= 1


async def test_alice_sees_no_jump_when_her_comment_is_stored_late(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    # The window shows the whole page, so it does not scroll. A smaller one would scroll to keep the composer in place.
    await alice.page.set_viewport_size({"width": 1280, "height": 1600})
    await alice.page.evaluate("parley.connector.close()")
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await alice.page.route("**/api/comments/", hold)
    await alice.write("Slowly")
    await write(carol_client, "Meanwhile")
    await watch_layout(alice)
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("Meanwhile", "Slowly")
    released.set()
    await alice.is_settled()
    await assert_no_jumps(alice)


async def test_alice_sees_no_jump_when_earlier_comments_load_late(
    open_browser: OpenBrowser, add_comments: AddComments
) -> None:
    await add_comments(60)
    alice = await open_browser("Alice")
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await alice.page.route("**/api/comments/?*", hold)
    await alice.page.locator(".thread__earlier").click()
    await watch_layout(alice)
    released.set()
    await alice.until("parley.comments.length === 60", "all comments")
    await alice.until("!document.querySelector('.thread__earlier').checkVisibility()", "the button to disappear")
    await assert_no_jumps(alice)


@pytest.mark.parametrize("at", ["/Article/1", "/"])
@pytest.mark.parametrize("viewport", [PHONE, TALL])
async def test_alice_sees_no_jump_when_the_status_and_the_pill_and_the_notice_appear(
    at: str,
    viewport: dict[str, int],
    open_browser: OpenBrowser,
    carol_client: httpx.AsyncClient,
    add_comments: AddComments,
    page_errors: PageErrors,
) -> None:
    page_errors.allow(NETWORK)
    await add_comments(40)
    alice = await open_browser("Alice", at, viewport=viewport)
    await watch_layout(alice)
    await trigger_event(alice, "outbox.volatile")
    await set_stream_state(alice, "reconnecting")
    await alice.until("document.querySelector('.light').dataset.says === 'reconnecting'", "the status")
    await write(carol_client, "New")
    if at == "/Article/1" and viewport == PHONE:
        await sees_pill(alice, "1 new comment")
    await set_stream_state(alice, "offline")
    await trigger_event(alice, "outbox.changed", {"waiting": 2, "refused": 0})
    await assert_no_jumps(alice)
    await alice.client.delete("/api/session")
    await alice.page.locator(".notice").wait_for()
    await assert_no_jumps(alice)
    # The state is idle until the page has the guest's snapshots and opens the guest's stream.
    await alice.until("document.querySelector('.light').dataset.state === 'live'", "the stream of a guest")
    await set_stream_state(alice, "offline")
    await alice.until("document.querySelector('.light').dataset.says === 'offline'", "the status again")
    overlaps = """() => Array.from(document.querySelectorAll(".light__says, .notice, .pill"))
      .filter((el) => el.checkVisibility()).map((el) => el.getBoundingClientRect())
      .sort((one, other) => one.top - other.top).some((rect, i, all) => all[i + 1]?.top < rect.bottom)"""
    assert not await alice.page.evaluate(overlaps)
    await set_stream_state(alice, "live")
    await assert_no_jumps(alice)


async def test_alice_catches_up_with_missed_comments_without_a_jump(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(20)
    alice = await open_browser("Alice")
    await alice.scroll_to_composer()
    await watch_layout(alice)
    await alice.page.evaluate("parley.connector.close()")
    for number in range(12):
        await write(carol_client, f"Missed {number}")
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees_newest("Missed 11")
    await assert_no_jumps(alice)
    await wait_until(alice.page.locator(".pill").is_visible, "the pill")
    first = await alice.page.locator(".comment.is-new").count()
    await alice.page.locator(".pill").click()
    await alice.until(f"document.activeElement.textContent.includes('Missed {first}')", "the focus on the first one")
