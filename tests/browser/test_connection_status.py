"""What a person sees of the weather outside: a light, silent while all is well, a pill, and a page that stays still."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.async_api import Route

from tests.browser.layout_shifts import assert_no_jumps, assert_no_layout_shifts, watch_layout
from tests.browser.network_faults import reset_streams
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import delete, edit, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import AddComments, OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.motion

PHONE = {"width": 320, "height": 640}
TALL = {"width": 1280, "height": 3_000}
PATIENCE, BACK, SLOW = 3_000, 5_000, 5_000  # milliseconds, as in connection_status.js
LONG = "\n".join(["A longer thought"] * 12)

TOP = "(element) => Math.round(element.getBoundingClientRect().top)"
TO_THE_END = "document.querySelector('.composer').scrollIntoView({ block: 'end', behavior: 'instant' })"
FOCUS = "(element) => element.focus({ preventScroll: true })"
HEARD = "() => { window.heard = []; parley.bus.on('local.comments.arrived', (n) => heard.push(n)); }"


async def came(person: Person, *bodies: str) -> None:
    """Waits until these are the newest comments."""
    newest = f"parley.comments.slice(-{len(bodies)}).map((comment) => comment.get('body'))"
    await person.until(f"JSON.stringify({newest}) === {json.dumps(json.dumps(bodies, separators=(',', ':')))}", "them")


# -- the light, whose time these tests take into their hands ---------------------------------------------------


@pytest.fixture
async def watcher(open_browser: OpenBrowser) -> Person:
    """Alice, to whom the test says how the connection is, and what time it is."""
    alice = await open_browser("Alice", clock=True)
    await alice.page.evaluate("parley.connector.close()")
    now = await alice.page.evaluate("Date.now()")
    await alice.page.clock.pause_at(datetime.fromtimestamp(now / 1_000, UTC) + timedelta(seconds=60))
    await turn(alice, "connecting", "catching-up", "live")
    await is_silent(alice)
    return alice


async def turn(person: Person, *states: str) -> None:
    for state in states:
        await person.page.evaluate("(state) => parley.bus.trigger('local.stream.state', state)", state)


async def tell(person: Person, name: str, *values: Any) -> None:
    await person.page.evaluate("([name, values]) => parley.bus.trigger(name, ...values)", [f"local.{name}", values])


async def passes(person: Person, milliseconds: int) -> None:
    await person.page.clock.run_for(milliseconds)


async def says(person: Person, words: str) -> None:
    light = person.page.locator(".light__says")
    assert await light.is_visible(), f"silence instead of {words}"
    assert await person.page.locator(".light__words").inner_text() == words


async def is_silent(person: Person) -> None:
    assert not await person.page.locator(".light__says").is_visible()


async def read_out(person: Person) -> str:
    await passes(person, 1_000)
    return await person.page.locator(".announcer").inner_text()


async def test_the_light_is_silent_until_the_stream_has_been_away_for_three_seconds(watcher: Person) -> None:
    await turn(watcher, "reconnecting")
    await passes(watcher, PATIENCE - 100)
    await is_silent(watcher)
    await passes(watcher, 200)
    await says(watcher, "Reconnecting…")
    assert await read_out(watcher) == "Reconnecting…"
    await turn(watcher, "catching-up")
    await says(watcher, "Reconnecting…")
    await turn(watcher, "live")
    await says(watcher, "Back online.")
    await passes(watcher, BACK + 100)
    await is_silent(watcher)


async def test_a_hiccup_is_not_worth_a_word(watcher: Person) -> None:
    for _ in range(3):
        await turn(watcher, "reconnecting")
        await passes(watcher, 2_000)
        await turn(watcher, "catching-up", "live")
        await is_silent(watcher)
        await passes(watcher, 2_000)
        await is_silent(watcher)
    assert await read_out(watcher) == ""


async def test_what_never_holds_is_trouble_too(watcher: Person) -> None:
    for _ in range(4):
        await turn(watcher, "reconnecting")
        await passes(watcher, 500)
        await turn(watcher, "catching-up")
        await passes(watcher, 500)
    await turn(watcher, "reconnecting")
    await says(watcher, "Reconnecting…")


@pytest.mark.parametrize("state", ["connecting", "catching-up", "live", "polling", "idle", "signed-out"])
async def test_of_these_the_light_never_speaks(state: str, watcher: Person) -> None:
    await turn(watcher, "idle", state)
    await passes(watcher, 20_000)
    await is_silent(watcher)
    assert await read_out(watcher) == ""


async def test_offline_it_says_that_nothing_is_lost(watcher: Person) -> None:
    await turn(watcher, "offline")
    await passes(watcher, PATIENCE)
    await says(watcher, "You're offline. Changes will be sent when you reconnect.")
    await tell(watcher, "outbox.changed", {"waiting": 1, "refused": 0})
    await says(watcher, "You're offline. 1 unsent change.")
    await tell(watcher, "outbox.changed", {"waiting": 2, "refused": 0})
    await says(watcher, "You're offline. 2 unsent changes.")
    assert (
        await read_out(watcher) == "You're offline. Changes will be sent when you reconnect."
    )  # once, and not at each change


async def test_back_it_says_how_many_came_meanwhile(watcher: Person) -> None:
    await tell(watcher, "comments.arrived", 5, "Bob")  # when all was well
    await turn(watcher, "offline")
    await passes(watcher, PATIENCE)
    await turn(watcher, "reconnecting", "catching-up")
    await tell(watcher, "comments.arrived", 10, "Bob")
    await turn(watcher, "live")
    await says(watcher, "Back online · 10 new comments")
    await tell(watcher, "comments.arrived", 2, "Bob")  # what a refetch brings
    await says(watcher, "Back online · 12 new comments")
    await passes(watcher, BACK)
    await is_silent(watcher)
    await turn(watcher, "reconnecting")
    await passes(watcher, PATIENCE)
    await turn(watcher, "polling")
    await says(watcher, "Back online.")


async def test_comings_and_goings_are_not_read_out_again_and_again(watcher: Person) -> None:
    await watcher.page.evaluate("""() => {
      window.heard = [];
      parley.bus.on("local.announcement", (sentence) => heard.push(sentence));
    }""")
    for _ in range(5):
        await turn(watcher, "offline")
        await passes(watcher, PATIENCE)
        await turn(watcher, "reconnecting")
        await passes(watcher, PATIENCE)
    await turn(watcher, "live")
    assert await watcher.page.evaluate("heard") == [
        "You're offline. Changes will be sent when you reconnect.",
        "Reconnecting…",
        "Back online.",
    ]


async def test_who_is_signed_out_is_told_by_the_notice_alone(watcher: Person) -> None:
    await turn(watcher, "reconnecting")
    await passes(watcher, PATIENCE)
    await turn(watcher, "signed-out")
    await is_silent(watcher)
    await turn(watcher, "connecting", "live")
    await is_silent(watcher)


async def test_a_browser_that_keeps_nothing_is_said_to(watcher: Person) -> None:
    hint = watcher.page.locator(".thread__volatile")
    assert not await hint.is_visible()
    await tell(watcher, "outbox.volatile")
    await hint.wait_for()
    await turn(watcher, "offline")
    await passes(watcher, PATIENCE)
    await says(watcher, "You're offline. Changes will be sent when you reconnect. Keep this page open.")
    await tell(watcher, "outbox.changed", {"waiting": 2, "refused": 0})
    await says(watcher, "You're offline. 2 unsent changes. Keep this page open.")
    await turn(watcher, "reconnecting")
    await says(watcher, "Reconnecting… 2 unsent changes. Keep this page open.")
    await turn(watcher, "live")
    await passes(watcher, BACK)
    await says(watcher, "Sending 2 changes… Keep this page open.")
    assert await hint.is_visible()


async def test_changes_that_take_long_are_mentioned(watcher: Person) -> None:
    await tell(watcher, "outbox.changed", {"waiting": 2, "refused": 0})
    await passes(watcher, SLOW - 100)
    await is_silent(watcher)
    await tell(watcher, "outbox.changed", {"waiting": 1, "refused": 0})  # something moves
    await passes(watcher, SLOW - 100)
    await is_silent(watcher)
    await passes(watcher, 200)
    await says(watcher, "Sending 1 change…")
    await tell(watcher, "outbox.changed", {"waiting": 0, "refused": 0})
    await is_silent(watcher)


async def test_a_refusal_out_of_sight_is_mentioned(watcher: Person) -> None:
    await tell(watcher, "outbox.changed", {"waiting": 1, "refused": 1})  # that one is from before
    await passes(watcher, 100)
    await is_silent(watcher)
    await tell(watcher, "outbox.changed", {"waiting": 0, "refused": 2})
    await passes(watcher, 100)
    await says(watcher, "A change on another page couldn't be saved.")
    await tell(watcher, "outbox.changed", {"waiting": 0, "refused": 0})
    await is_silent(watcher)


async def test_a_refusal_further_down_is_one_press_away(watcher: Person, add_comments: AddComments) -> None:
    comments = await add_comments(30)
    await watcher.page.evaluate("parley.connector.resume()")
    await came(watcher, "Comment 29")
    refused = f"#comment-{comments[20]['id']}"
    await watcher.page.evaluate("(refused) => { document.querySelector(refused).dataset.state = 'refused'; }", refused)
    for count in (0, 1):
        await tell(watcher, "outbox.changed", {"waiting": 0, "refused": count})
    await passes(watcher, 100)
    await says(watcher, "A change couldn't be saved.")
    await watcher.page.locator(".light__show").click()
    await watcher.focus_is_on(refused)
    await is_silent(watcher)


async def test_a_real_connection_that_is_lost_and_found(
    alice: Person, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await watch_layout(alice)
    await alice.context.set_offline(True)
    reset_streams(site)
    await alice.until("document.querySelector('.light').dataset.says === 'offline'", "to be told")
    await write(carol_client, "One")
    await write(carol_client, "Two")
    await alice.context.set_offline(False)
    await alice.until(
        "document.querySelector('.light__words').textContent === 'Back online · 2 new comments'", "to be back"
    )
    await alice.until("document.querySelector('.light').dataset.says === 'nothing'", "silence")
    await assert_no_jumps(alice)


# -- the pill --------------------------------------------------------------------------------------------------


async def pill_says(person: Person, words: str) -> None:
    await person.until(f"document.querySelector('.pill').innerText.trim() === {json.dumps(words)}", words)


async def has_no_pill(person: Person) -> None:
    await person.until("!document.querySelector('.pill').checkVisibility()", "no pill")


async def test_what_comes_below_waits_behind_a_pill(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(30)
    alice = await open_browser("Alice")
    await alice.page.evaluate(HEARD)
    await watch_layout(alice)
    for count, words in enumerate(("1 new comment", "2 new comments", "3 new comments"), 1):
        await write(carol_client, f"New {count}")
        await pill_says(alice, words)
    assert len(await alice.shown()) == 33
    assert sum(await alice.page.evaluate("heard")) == 3
    await alice.until("/new comments?\\.|New comment by/.test(document.querySelector('.announcer').textContent)", "it")
    assert await alice.page.evaluate("scrollY") == 0
    await assert_no_jumps(alice)

    await alice.tab_to(".pill")
    await alice.page.keyboard.press("Enter")
    await alice.until("document.activeElement.querySelector('.comment__body')?.textContent === 'New 1'", "the first")
    await has_no_pill(alice)
    assert await alice.comment("New 1").evaluate("(el) => el.getBoundingClientRect().top < innerHeight")
    assert await alice.page.locator(".comment.is-new").count() == 3
    await alice.matches_server()


async def test_who_reads_on_meets_them_without_the_pill(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(30)
    alice = await open_browser("Alice")
    for body in ("New 1", f"New 2\n{LONG}\n{LONG}\n{LONG}", "New 3"):
        comment = await write(carol_client, body)
    await pill_says(alice, "3 new comments")
    await alice.comment("New 1").evaluate("(el) => el.scrollIntoView({ block: 'start', behavior: 'instant' })")
    await pill_says(alice, "1 new comment")
    await delete(carol_client, comment)
    await has_no_pill(alice)
    await write(carol_client, "New 4")
    await pill_says(alice, "1 new comment")
    await alice.page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")
    await has_no_pill(alice)


async def test_at_the_live_end_they_simply_appear(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(30)
    alice = await open_browser("Alice")
    await alice.page.evaluate(TO_THE_END)
    await write(carol_client, "New")
    await alice.page.locator(".comment.is-new").wait_for()
    assert not await alice.page.locator(".pill").is_visible()


async def test_ones_own_words_and_old_ones_are_no_news(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(60)
    alice = await open_browser("Alice")
    await alice.page.evaluate(HEARD)
    await write(alice.client, "From my other device")
    await edit(carol_client, comments[50], "Changed")
    await alice.page.locator(".thread__earlier").click()
    await alice.until("parley.comments.length === 61", "all")
    await alice.write("Mine")
    await alice.is_settled()
    assert await alice.page.evaluate("heard") == []
    assert not await alice.page.locator(".pill").is_visible()


# -- stillness -------------------------------------------------------------------------------------------------


async def test_loading_the_page_moves_nothing(
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
async def test_what_comes_grows_and_goes_moves_nothing_by_leaps(
    motion: Literal["no-preference", "reduce"],
    open_browser: OpenBrowser,
    carol_client: httpx.AsyncClient,
    add_comments: AddComments,
) -> None:
    alice = await open_browser("Alice", reduced_motion=motion)
    await watch_layout(alice)
    first = await write(carol_client, "The first word")  # in place of "nobody has said anything"
    await alice.page.locator(".comment").wait_for()
    await assert_no_jumps(alice)
    comments = [first, *await add_comments(20)]
    await came(alice, "Comment 19")

    await alice.page.evaluate(TO_THE_END)
    await watch_layout(alice)
    await write(carol_client, "At the live end")
    await came(alice, "At the live end")
    await assert_no_jumps(alice)
    await edit(carol_client, comments[-1], f"Comment 19\n{LONG}")  # in the middle of what is seen
    await alice.until("document.body.textContent.includes('A longer thought')", "the longer text")
    await assert_no_jumps(alice)

    await alice.comment("Comment 10").evaluate("(el) => el.scrollIntoView({ block: 'start', behavior: 'instant' })")
    await watch_layout(alice)
    before = await alice.comment("Comment 10").evaluate(TOP)
    await edit(carol_client, comments[2], f"Comment 1\n{LONG}")
    await delete(carol_client, comments[3])
    await write(carol_client, "Far below")
    await came(alice, "Far below")
    await assert_no_jumps(alice)
    assert abs(await alice.comment("Comment 10").evaluate(TOP) - before) <= 1
    await delete(carol_client, comments[13])  # in the middle of what is seen
    await alice.until("parley.comments.length === 21", "it to go")
    await assert_no_jumps(alice)
    await delete(carol_client, comments[11])  # the very one that is read
    await alice.until("parley.comments.length === 20", "it to go")
    await assert_no_jumps(alice)


async def test_who_types_types_on_in_the_same_place(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(20)
    alice = await open_browser("Alice")
    await alice.page.evaluate(TO_THE_END)
    await alice.composer.evaluate(FOCUS)
    await watch_layout(alice)
    before = await alice.composer.evaluate(TOP)
    await write(carol_client, f"New\n{LONG}")
    await edit(carol_client, comments[18], f"Comment 18\n{LONG}")
    await delete(carol_client, comments[19])
    await alice.until("parley.comments.length === 20", "all that")
    await assert_no_jumps(alice)
    assert abs(await alice.composer.evaluate(TOP) - before) <= 1
    await alice.focus_is_on(".composer textarea")


async def test_who_is_below_the_list_stays_there(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(20)
    alice = await open_browser("Alice", viewport={"width": 800, "height": 300})
    await alice.page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")
    await watch_layout(alice)
    before = await alice.composer.evaluate(TOP)
    await write(carol_client, LONG)
    await came(alice, LONG)
    await assert_no_jumps(alice)
    assert abs(await alice.composer.evaluate(TOP) - before) <= 1


async def test_one_that_settles_late_moves_nothing(alice: Person, carol_client: httpx.AsyncClient) -> None:
    # With room for all of it the page does not scroll. Otherwise it would, to keep the focused composer in its place.
    await alice.page.set_viewport_size({"width": 1280, "height": 1600})
    await alice.page.evaluate("parley.connector.close()")
    over = asyncio.Event()

    async def hold(route: Route) -> None:
        await over.wait()
        await route.continue_()

    await alice.page.route("**/api/comments/", hold)
    await alice.write("Slowly")
    await write(carol_client, "Meanwhile")
    await watch_layout(alice)
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("Meanwhile", "Slowly")
    over.set()
    await alice.is_settled()
    await assert_no_jumps(alice)


async def test_earlier_ones_that_come_late_move_nothing(open_browser: OpenBrowser, add_comments: AddComments) -> None:
    await add_comments(60)
    alice = await open_browser("Alice")
    over = asyncio.Event()

    async def hold(route: Route) -> None:
        await over.wait()
        await route.continue_()

    await alice.page.route("**/api/comments/?*", hold)
    await alice.page.locator(".thread__earlier").click()
    await watch_layout(alice)
    over.set()
    await alice.until("parley.comments.length === 60", "all of them")
    await alice.until("!document.querySelector('.thread__earlier').checkVisibility()", "that to be all")
    await assert_no_jumps(alice)


@pytest.mark.parametrize("at", ["/Article/1", "/"])
@pytest.mark.parametrize("viewport", [PHONE, TALL])
async def test_light_pill_and_notice_move_nothing(
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
    await tell(alice, "outbox.volatile")
    await turn(alice, "reconnecting")
    await alice.until("document.querySelector('.light').dataset.says === 'reconnecting'", "the light")
    await write(carol_client, "New")
    if at == "/Article/1" and viewport == PHONE:
        await pill_says(alice, "1 new comment")
    await turn(alice, "offline")
    await tell(alice, "outbox.changed", {"waiting": 2, "refused": 0})
    await assert_no_jumps(alice)
    await alice.client.delete("/api/session")
    await alice.page.locator(".notice").wait_for()
    await assert_no_jumps(alice)
    await alice.until("['live', 'idle'].includes(document.querySelector('.light').dataset.state)", "a guest's page")
    await turn(alice, "offline")
    await alice.until("document.querySelector('.light').dataset.says === 'offline'", "the light again")
    overlaps = """() => Array.from(document.querySelectorAll(".light__says, .notice, .pill"))
      .filter((el) => el.checkVisibility()).map((el) => el.getBoundingClientRect())
      .sort((one, other) => one.top - other.top).some((rect, i, all) => all[i + 1]?.top < rect.bottom)"""
    assert not await alice.page.evaluate(overlaps)
    await turn(alice, "live")
    await assert_no_jumps(alice)


async def test_what_waits_is_caught_up_with_in_one_go_and_in_place(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    await add_comments(20)
    alice = await open_browser("Alice")
    await alice.page.evaluate(TO_THE_END)
    await watch_layout(alice)
    await alice.page.evaluate("parley.connector.close()")
    for number in range(12):
        await write(carol_client, f"Missed {number}")
    await alice.page.evaluate("parley.connector.resume()")
    await came(alice, "Missed 11")
    await assert_no_jumps(alice)
    await wait_until(alice.page.locator(".pill").is_visible, "the pill")
    first = await alice.page.locator(".comment.is-new").count()
    await alice.page.locator(".pill").click()
    await alice.until(f"document.activeElement.textContent.includes('Missed {first}')", "the first of them")
