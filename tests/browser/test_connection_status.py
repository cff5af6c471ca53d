"""The connection status: nothing while the stream is live, and a sentence while it is not or changes are unsent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.layout_shifts import assert_no_jumps, watch_layout
from tests.browser.network_faults import reset_streams
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import AddComments, OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.motion

SHOW_AFTER_MS, BACK_ONLINE_MS, SLOW_CHANGES_MS = 3_000, 5_000, 5_000  # as in connection_status.js
# Records each text of the status, because the page shows "Back online" for five seconds only.
RECORD_STATUS = """() => {
  const words = document.querySelector(".light__words");
  window.statuses = [];
  new MutationObserver(() => window.statuses.push(words.textContent)).observe(words, {
    childList: true, characterData: true, subtree: true,
  });
}"""


@pytest.fixture
async def alice(open_browser: OpenBrowser) -> Person:
    """Alice, whose stream state and clock the test controls."""
    alice = await open_browser("Alice", clock=True)
    await alice.page.evaluate("parley.connector.close()")
    now = await alice.page.evaluate("Date.now()")
    await alice.page.clock.pause_at(datetime.fromtimestamp(now / 1_000, UTC) + timedelta(seconds=60))
    await set_stream_state(alice, "connecting", "catching-up", "live")
    await assert_no_status(alice)
    return alice


async def set_stream_state(person: Person, *states: str) -> None:
    for state in states:
        await person.page.evaluate("(state) => parley.bus.trigger('local.stream.state', state)", state)


async def trigger_event(person: Person, name: str, *values: Any) -> None:
    await person.page.evaluate("([name, values]) => parley.bus.trigger(name, ...values)", [f"local.{name}", values])


async def advance_clock(person: Person, milliseconds: int) -> None:
    await person.page.clock.run_for(milliseconds)


async def assert_status(person: Person, words: str) -> None:
    light = person.page.locator(".light__says")
    assert await light.is_visible(), f"no status instead of {words}"
    assert await person.page.locator(".light__words").inner_text() == words


async def assert_no_status(person: Person) -> None:
    assert not await person.page.locator(".light__says").is_visible()


async def read_announcement(person: Person) -> str:
    await advance_clock(person, 1_000)
    return await person.page.locator(".announcer").inner_text()


async def test_alice_sees_no_status_until_the_stream_was_lost_for_three_seconds(alice: Person) -> None:
    await set_stream_state(alice, "reconnecting")
    await advance_clock(alice, SHOW_AFTER_MS - 100)
    await assert_no_status(alice)
    await advance_clock(alice, 200)
    await assert_status(alice, "Reconnecting…")
    assert await read_announcement(alice) == "Reconnecting…"
    await set_stream_state(alice, "catching-up")
    await assert_status(alice, "Reconnecting…")
    await set_stream_state(alice, "live")
    await assert_status(alice, "Back online.")
    await advance_clock(alice, BACK_ONLINE_MS + 100)
    await assert_no_status(alice)


async def test_alice_sees_no_status_during_short_interruptions(alice: Person) -> None:
    for _ in range(3):
        await set_stream_state(alice, "reconnecting")
        await advance_clock(alice, 2_000)
        await set_stream_state(alice, "catching-up", "live")
        await assert_no_status(alice)
        await advance_clock(alice, 2_000)
        await assert_no_status(alice)
    assert await read_announcement(alice) == ""


async def test_alice_sees_the_status_if_the_stream_is_lost_again_and_again(alice: Person) -> None:
    for _ in range(4):
        await set_stream_state(alice, "reconnecting")
        await advance_clock(alice, 500)
        await set_stream_state(alice, "catching-up")
        await advance_clock(alice, 500)
    await set_stream_state(alice, "reconnecting")
    await assert_status(alice, "Reconnecting…")


@pytest.mark.parametrize("state", ["connecting", "catching-up", "live", "polling", "idle", "signed-out"])
async def test_alice_sees_no_status_in_ordinary_states(state: str, alice: Person) -> None:
    await set_stream_state(alice, "idle", state)
    await advance_clock(alice, 20_000)
    await assert_no_status(alice)
    assert await read_announcement(alice) == ""


async def test_alice_sees_offline_how_many_changes_are_unsent(alice: Person) -> None:
    await set_stream_state(alice, "offline")
    await advance_clock(alice, SHOW_AFTER_MS)
    await assert_status(alice, "You're offline. Changes will be sent when you reconnect.")
    await trigger_event(alice, "outbox.changed", {"waiting": 1, "refused": 0})
    await assert_status(alice, "You're offline. 1 unsent change.")
    await trigger_event(alice, "outbox.changed", {"waiting": 2, "refused": 0})
    await assert_status(alice, "You're offline. 2 unsent changes.")
    assert (
        await read_announcement(alice) == "You're offline. Changes will be sent when you reconnect."
    )  # once, not for each unsent change


async def test_alice_sees_how_many_comments_arrived_when_she_is_back_online(alice: Person) -> None:
    await trigger_event(alice, "comments.arrived", 5, "Bob")  # while the page was live
    await set_stream_state(alice, "offline")
    await advance_clock(alice, SHOW_AFTER_MS)
    await set_stream_state(alice, "reconnecting", "catching-up")
    await trigger_event(alice, "comments.arrived", 10, "Bob")
    await set_stream_state(alice, "live")
    await assert_status(alice, "Back online · 10 new comments")
    await trigger_event(alice, "comments.arrived", 2, "Bob")  # from the new snapshot
    await assert_status(alice, "Back online · 12 new comments")
    await advance_clock(alice, BACK_ONLINE_MS)
    await assert_no_status(alice)
    await set_stream_state(alice, "reconnecting")
    await advance_clock(alice, SHOW_AFTER_MS)
    await set_stream_state(alice, "polling")
    await assert_status(alice, "Back online.")


async def test_alices_screen_reader_reads_each_status_out_once(alice: Person) -> None:
    await alice.page.evaluate("""() => {
      window.announcements = [];
      parley.bus.on("local.announcement", (sentence) => window.announcements.push(sentence));
    }""")
    for _ in range(5):
        await set_stream_state(alice, "offline")
        await advance_clock(alice, SHOW_AFTER_MS)
        await set_stream_state(alice, "reconnecting")
        await advance_clock(alice, SHOW_AFTER_MS)
    await set_stream_state(alice, "live")
    assert await alice.page.evaluate("announcements") == [
        "You're offline. Changes will be sent when you reconnect.",
        "Reconnecting…",
        "Back online.",
    ]


async def test_alice_sees_no_status_after_she_was_signed_out(alice: Person) -> None:
    await set_stream_state(alice, "reconnecting")
    await advance_clock(alice, SHOW_AFTER_MS)
    await set_stream_state(alice, "signed-out")
    await assert_no_status(alice)
    await set_stream_state(alice, "connecting", "live")
    await assert_no_status(alice)


async def test_alice_is_asked_to_keep_the_page_open_if_her_browser_stores_nothing(alice: Person) -> None:
    hint = alice.page.locator(".thread__volatile")
    assert not await hint.is_visible()
    await trigger_event(alice, "outbox.volatile")
    await hint.wait_for()
    await set_stream_state(alice, "offline")
    await advance_clock(alice, SHOW_AFTER_MS)
    await assert_status(alice, "You're offline. Changes will be sent when you reconnect. Keep this page open.")
    await trigger_event(alice, "outbox.changed", {"waiting": 2, "refused": 0})
    await assert_status(alice, "You're offline. 2 unsent changes. Keep this page open.")
    await set_stream_state(alice, "reconnecting")
    await assert_status(alice, "Reconnecting… 2 unsent changes. Keep this page open.")
    await set_stream_state(alice, "live")
    await advance_clock(alice, BACK_ONLINE_MS)
    await assert_status(alice, "Sending 2 changes… Keep this page open.")
    assert await hint.is_visible()


async def test_alice_sees_that_her_changes_take_long(alice: Person) -> None:
    await trigger_event(alice, "outbox.changed", {"waiting": 2, "refused": 0})
    await advance_clock(alice, SLOW_CHANGES_MS - 100)
    await assert_no_status(alice)
    await trigger_event(alice, "outbox.changed", {"waiting": 1, "refused": 0})  # one change was sent
    await advance_clock(alice, SLOW_CHANGES_MS - 100)
    await assert_no_status(alice)
    await advance_clock(alice, 200)
    await assert_status(alice, "Sending 1 change…")
    await trigger_event(alice, "outbox.changed", {"waiting": 0, "refused": 0})
    await assert_no_status(alice)


async def test_alice_sees_that_a_change_on_another_page_was_refused(alice: Person) -> None:
    await trigger_event(alice, "outbox.changed", {"waiting": 1, "refused": 1})  # refused before the page was opened
    await advance_clock(alice, 100)
    await assert_no_status(alice)
    await trigger_event(alice, "outbox.changed", {"waiting": 0, "refused": 2})
    await advance_clock(alice, 100)
    await assert_status(alice, "A change on another page couldn't be saved.")
    await trigger_event(alice, "outbox.changed", {"waiting": 0, "refused": 0})
    await assert_no_status(alice)


async def test_alice_follows_the_status_to_a_refused_change(alice: Person, add_comments: AddComments) -> None:
    comments = await add_comments(30)
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees_newest("Comment 29")
    refused = f"#comment-{comments[20]['id']}"
    await alice.page.evaluate("(refused) => { document.querySelector(refused).dataset.state = 'refused'; }", refused)
    for count in (0, 1):
        await trigger_event(alice, "outbox.changed", {"waiting": 0, "refused": count})
    await advance_clock(alice, 100)
    await assert_status(alice, "A change couldn't be saved.")
    await alice.page.locator(".light__show").click()
    await alice.focus_is_on(refused)
    await assert_no_status(alice)


async def test_alice_sees_the_status_of_a_real_connection_that_is_lost_and_restored(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    alice = await open_browser("Alice")
    await alice.page.evaluate(RECORD_STATUS)
    await watch_layout(alice)
    await alice.context.set_offline(True)
    reset_streams(site)
    await alice.until("document.querySelector('.light').dataset.says === 'offline'", "the status offline")
    await write(carol_client, "One")
    await write(carol_client, "Two")
    await alice.context.set_offline(False)
    await alice.until("window.statuses.includes('Back online · 2 new comments')", "to be back")
    await alice.until("document.querySelector('.light').dataset.says === 'nothing'", "no status")
    await assert_no_jumps(alice)
