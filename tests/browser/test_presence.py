"""Presence: a page shows the people at a topic and their typing, and its layout does not move."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from app.live.presence.service import LINGER_SECONDS, TYPING_SECONDS
from tests.browser.layout_shifts import assert_no_jumps, watch_layout
from tests.browser.network_faults import pause_clock, reset_streams, wait_for_streams
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.browser.readability import PHONE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.motion

SIZES = """() => [document.documentElement.scrollWidth, ...Array.from(
  document.querySelectorAll(".thread__presence, .composer, .thread"), (el) => el.offsetHeight)]"""
IS_WHOLE = "(el) => el.scrollWidth <= el.clientWidth + 1 && el.getBoundingClientRect().right <= innerWidth"
ISOLATES = "/[\\u2068\\u2069]/g"  # the isolate characters around names
PRESENT = f"document.querySelector('.thread__presence').textContent.replace({ISOLATES}, '')"
TYPING = f"document.querySelector('.composer__typing').textContent.replace({ISOLATES}, '')"
SHOWS_PRESENCE = "document.querySelector('.thread__presence').textContent !== ''"
MARKER = "GET /healthz"


@pytest.fixture
def server_clock(served: Parley, monkeypatch: pytest.MonkeyPatch) -> ServerClock:
    """The clock of presence on the server."""
    clock = ServerClock()
    monkeypatch.setattr(served.presence, "_clock", clock)
    return clock


class ServerClock:
    """A real clock that a test can also move forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


async def sees_present(person: Person, words: str) -> None:
    """Wait until this text is below the heading."""
    await person.until(f"{PRESENT} === {json.dumps(words)}", words or "nobody")


async def sees_typing(person: Person, words: str) -> None:
    await person.until(f"{TYPING} === {json.dumps(words)}", words or "nobody typing")


def count_typing_requests(person: Person) -> int:
    return person.requests.count("POST /api/typing")


async def send_marker(person: Person) -> None:
    """Send a request from the page, and wait until it is recorded: all earlier requests are recorded by then."""
    before = person.requests.count(MARKER)
    await person.page.evaluate("fetch('/healthz').then((response) => response.text())")
    await wait_until(lambda: person.requests.count(MARKER) > before, "the marker")


async def test_alice_and_bob_see_each_other_and_who_types(
    alice: Person, bob: Person, site: Site, server_clock: ServerClock
) -> None:
    await watch_layout(bob)
    await sees_present(alice, "Bob is here")
    await sees_present(bob, "Alice is here")
    await alice.composer.click()
    await alice.page.keyboard.type("There is a step")
    await sees_typing(bob, "Alice is typing…")
    assert await alice.page.evaluate(TYPING) == "", "nobody sees themselves type"
    await alice.page.keyboard.press("Control+Enter")
    await bob.sees("There is a step")
    await sees_typing(bob, "")
    await alice.page.context.close()
    await wait_for_streams(site)
    server_clock.advance(LINGER_SECONDS)
    await sees_present(bob, "")
    await assert_no_jumps(bob)


async def test_bob_no_longer_sees_alice_type_after_she_stops(
    alice: Person, bob: Person, server_clock: ServerClock
) -> None:
    await watch_layout(bob)
    await sees_present(alice, "Bob is here")
    await alice.composer.press("x")
    await sees_typing(bob, "Alice is typing…")
    server_clock.advance(TYPING_SECONDS)
    await sees_typing(bob, "")
    await assert_no_jumps(bob)
    assert count_typing_requests(alice) == 1


@pytest.mark.virtual_clock
async def test_alice_sends_at_most_one_typing_request_in_three_seconds(alice: Person, bob: Person) -> None:
    await sees_present(alice, "Bob is here")
    await pause_clock(alice)
    for count in (1, 2):
        for _ in range(10):
            await alice.composer.press("x")
        await send_marker(alice)
        assert count_typing_requests(alice) == count
        await alice.page.clock.fast_forward(3_100)
    await sees_typing(bob, "Alice is typing…")


async def test_a_guest_and_a_person_alone_send_no_typing_requests(
    alice: Person, guest: Person, site: Site, server_clock: ServerClock
) -> None:
    await sees_present(alice, "1 guest is here")
    await guest.composer.press_sequentially("Hello")
    await send_marker(guest)
    assert count_typing_requests(guest) == 0
    await guest.context.close()
    await wait_for_streams(site)
    server_clock.advance(LINGER_SECONDS)
    await sees_present(alice, "")
    await alice.composer.press_sequentially("Hello")
    await send_marker(alice)
    assert count_typing_requests(alice) == 0


WORDS = [  # (names, number of people, guests, text)
    ([], 0, 0, ""),
    (["Bob"], 1, 0, "Bob is here"),
    (["Bob", "Carol"], 2, 0, "Bob and Carol are here"),
    (["Bob", "Carol", "Dave"], 3, 0, "Bob, Carol and 1 other are here"),
    (["Bob", "Carol", "Dave"], 60, 0, "Bob, Carol and 58 others are here"),
    (["Bob"], 1, 1, "Bob and 1 guest are here"),
    (["Bob", "Carol", "Dave"], 4, 2, "Bob, Carol, 2 others and 2 guests are here"),
    ([], 0, 1, "1 guest is here"),
    ([], 1, 0, "1 person is here"),
    (["<b>Bob</b>"], 1, 0, "<b>Bob</b> is here"),
    (["בוב"], 1, 0, "בוב is here"),
]
TYPING_WORDS = [
    ([], 0, ""),
    (["Bob"], 1, "Bob is typing…"),
    (["Bob", "Carol"], 2, "Bob and Carol are typing…"),
    (["Bob", "Carol", "Dave"], 3, "Bob and 2 others are typing…"),
    (["Bob", "Carol", "Dave"], 30, "Bob and 29 others are typing…"),
]
TRIGGER_PRESENCE = "(message) => parley.bus.trigger('local.presence', { topic: 'Article/1', ...message })"


async def test_alice_sees_a_few_names_and_the_number_of_other_people(alice: Person) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await watch_layout(alice)
    me = await alice.page.evaluate("() => ({ id: parley.account.id, username: 'Alice' })")

    def people(names: list[str]) -> list[dict[str, str]]:
        return [me, *({"id": f"the id of {name}", "username": name} for name in names)]

    for names, count, guests, words in WORDS:
        await alice.page.evaluate(TRIGGER_PRESENCE, {"people": people(names), "count": count + 1, "guests": guests})
        assert await alice.page.evaluate(PRESENT) == words
    for names, count, words in TYPING_WORDS:
        await alice.page.evaluate(TRIGGER_PRESENCE, {"typing": people(names), "typing_count": count + 1})
        assert await alice.page.evaluate(TYPING) == words
        await alice.page.evaluate(TRIGGER_PRESENCE, {"typing": people(names)[1:], "typing_count": count})
        assert await alice.page.evaluate(TYPING) == words
    await assert_no_jumps(alice)


async def test_alice_and_bob_see_in_each_tab_who_is_at_its_topic(alice: Person, bob: Person, site: Site) -> None:
    other = await alice.open_another_tab("/Article/2")
    await wait_for_streams(site, 2)
    third = await bob.open_another_tab("/Article/1")
    for tab in (alice, third):
        await sees_present(tab, "Alice is here" if tab is third else "Bob is here")
    await sees_present(other, "")
    await bob.page.close()
    await third.until("parley.connector.leads && parley.connector.state === 'live'", "the stream in this tab")
    await sees_present(third, "Alice is here")
    await third.composer.press("x")
    await sees_typing(alice, "Bob is typing…")
    assert await other.page.evaluate(TYPING) == ""


async def test_bob_sees_no_change_of_presence_when_he_reconnects(
    alice: Person, bob: Person, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await sees_present(alice, "Bob is here")
    await sees_present(bob, "Alice is here")
    record = "() => { window.states = []; new MutationObserver(() => window.states.push(parley.connector.state))"
    await bob.page.evaluate(f"{record}.observe(document.querySelector('.thread__presence'), {{childList: true}}); }}")
    reset_streams(site)
    await bob.until("parley.connector.state !== 'live'", "the lost stream")
    await wait_for_streams(site, 2)
    await bob.sees_connection_status("live")
    assert await bob.page.evaluate("states") == []
    await sees_present(bob, "Alice is here")


async def test_bob_sees_alice_become_a_guest_when_she_signs_out(alice: Person, bob: Person) -> None:
    await sees_present(bob, "Alice is here")
    await alice.page.locator(".account__sign-out").click()
    await sees_present(bob, "1 guest is here")
    await sees_present(alice, "Bob is here")


@pytest.mark.parametrize("settings", [{"presence": False}], indirect=True)
async def test_alice_and_bob_see_no_presence_if_it_is_switched_off(alice: Person, bob: Person) -> None:
    await alice.composer.press_sequentially("Hello")
    await alice.composer.press("Control+Enter")
    await bob.sees("Hello")
    for person in (alice, bob):
        assert not await person.page.evaluate(SHOWS_PRESENCE)
        assert count_typing_requests(person) == 0


async def test_alice_sees_presence_in_one_line_on_a_phone(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", viewport=PHONE)
    await alice.page.evaluate("parley.connector.close()")
    long = [{"id": letter, "username": letter * 30} for letter in "WM"]
    await watch_layout(alice)
    sizes = await alice.page.evaluate(SIZES)
    await alice.page.evaluate(
        TRIGGER_PRESENCE, {"people": long, "count": 12, "guests": 3, "typing": long, "typing_count": 2}
    )
    await alice.until(f"{TYPING}.endsWith('are typing…')", "the typing")
    assert await alice.page.evaluate(SIZES) == sizes
    for line in (".thread__presence", ".composer__typing"):
        assert await alice.page.locator(f"{line} .said__what").evaluate(IS_WHOLE), "only the names are cut off"
    await assert_no_jumps(alice)
