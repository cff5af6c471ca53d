"""Who is here and who types, as Alice and Bob see it of each other, and that nobody's page moves for it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from app.live.presence.service import LINGER_SECONDS
from app.live.presence.service import TYPING_SECONDS as TYPING_LASTS
from tests.browser.layout_shifts import assert_no_jumps, watch_layout
from tests.browser.network_faults import reset_streams, wait_for_streams
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.browser.readability import PHONE

if TYPE_CHECKING:
    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.motion

ROOM = """() => [document.documentElement.scrollWidth, ...Array.from(
  document.querySelectorAll(".thread__presence, .composer, .thread"), (el) => el.offsetHeight)]"""
IS_WHOLE = "(el) => el.scrollWidth <= el.clientWidth + 1 && el.getBoundingClientRect().right <= innerWidth"
ISOLATES = "/[\\u2068\\u2069]/g"  # around names
HERE = f"document.querySelector('.thread__presence').textContent.replace({ISOLATES}, '')"
TYPING = f"document.querySelector('.composer__typing').textContent.replace({ISOLATES}, '')"
IS_TOLD = "document.querySelector('.thread__presence').textContent !== ''"


@pytest.fixture
def server_clock(served: Parley, monkeypatch: pytest.MonkeyPatch) -> ServerClock:
    """The clock of the server's presence."""
    clock = ServerClock()
    monkeypatch.setattr(served.presence, "_clock", clock)
    return clock


class ServerClock:
    """Runs as every clock does, and a test can put it forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


async def sees(person: Person, words: str) -> None:
    """Waits until that stands under the heading."""
    await person.until(f"{HERE} === {json.dumps(words)}", words or "nobody")


async def sees_typing(person: Person, words: str) -> None:
    await person.until(f"{TYPING} === {json.dumps(words)}", words or "nobody typing")


def said_typing(person: Person) -> int:
    return person.requests.count("POST /api/typing")


async def test_alice_and_bob_see_each_other_and_who_types(
    alice: Person, bob: Person, site: Site, server_clock: ServerClock
) -> None:
    await watch_layout(bob)
    await sees(alice, "Bob is here")
    await sees(bob, "Alice is here")
    await alice.composer.click()
    await alice.page.keyboard.type("There is a step")
    await sees_typing(bob, "Alice is typing…")
    assert await alice.page.evaluate(TYPING) == "", "nobody is told of themselves"
    await alice.page.keyboard.press("Control+Enter")
    await bob.sees("There is a step")
    await sees_typing(bob, "")
    await alice.page.context.close()
    await wait_for_streams(site)
    server_clock.advance(LINGER_SECONDS)
    await sees(bob, "")
    await assert_no_jumps(bob)


async def test_typing_that_stops_is_forgotten(alice: Person, bob: Person, server_clock: ServerClock) -> None:
    await watch_layout(bob)
    await sees(alice, "Bob is here")
    await alice.composer.press("x")
    await sees_typing(bob, "Alice is typing…")
    server_clock.advance(TYPING_LASTS)
    await sees_typing(bob, "")
    await assert_no_jumps(bob)
    assert said_typing(alice) == 1


@pytest.mark.virtual_clock
async def test_typing_is_said_now_and_then(alice: Person, bob: Person) -> None:
    await sees(alice, "Bob is here")
    for _ in range(10):
        await alice.composer.press("x")
    assert said_typing(alice) == 1
    await alice.page.clock.fast_forward(3_100)
    for _ in range(10):
        await alice.composer.press("x")
    assert said_typing(alice) == 2
    await sees_typing(bob, "Alice is typing…")


async def test_nothing_is_said_to_nobody_nor_by_a_guest(
    alice: Person, guest: Person, site: Site, server_clock: ServerClock
) -> None:
    await sees(alice, "1 guest is here")
    await guest.composer.press_sequentially("Hello")
    assert said_typing(guest) == 0
    await guest.context.close()
    await wait_for_streams(site)
    server_clock.advance(LINGER_SECONDS)
    await sees(alice, "")
    await alice.composer.press_sequentially("Hello")
    assert said_typing(alice) == 0


WORDS = [  # (names, how many there are, guests, what one reads)
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
TELL = "(said) => parley.bus.trigger('local.presence', { topic: 'Article/1', ...said })"


async def test_a_few_are_named_and_the_rest_counted(alice: Person) -> None:
    await alice.page.evaluate("parley.connector.close()")
    await watch_layout(alice)
    me = await alice.page.evaluate("() => ({ id: parley.account.id, username: 'Alice' })")

    def people(names: list[str]) -> list[dict[str, str]]:
        return [me, *({"id": f"the id of {name}", "username": name} for name in names)]

    for names, count, guests, words in WORDS:
        await alice.page.evaluate(TELL, {"people": people(names), "count": count + 1, "guests": guests})
        assert await alice.page.evaluate(HERE) == words
    for names, count, words in TYPING_WORDS:
        await alice.page.evaluate(TELL, {"typing": people(names), "typing_count": count + 1})
        assert await alice.page.evaluate(TYPING) == words
        await alice.page.evaluate(TELL, {"typing": people(names)[1:], "typing_count": count})
        assert await alice.page.evaluate(TYPING) == words
    await assert_no_jumps(alice)


async def test_every_tab_is_told_of_its_own_topic(alice: Person, bob: Person, site: Site) -> None:
    other = await alice.open_another_tab("/Article/2")
    await wait_for_streams(site, 2)
    third = await bob.open_another_tab("/Article/1")
    for tab in (alice, third):
        await sees(tab, "Alice is here" if tab is third else "Bob is here")
    await sees(other, "")
    await bob.page.close()
    await third.until("parley.connector.leads && parley.connector.state === 'live'", "the stream in this tab")
    await sees(third, "Alice is here")
    await third.composer.press("x")
    await sees_typing(alice, "Bob is typing…")
    assert await other.page.evaluate(TYPING) == ""


async def test_who_reconnects_never_left(alice: Person, bob: Person, site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await sees(alice, "Bob is here")
    await sees(bob, "Alice is here")
    record = "() => { window.said = []; new MutationObserver(() => said.push(parley.connector.state))"
    await bob.page.evaluate(f"{record}.observe(document.querySelector('.thread__presence'), {{childList: true}}); }}")
    reset_streams(site)
    await bob.until("parley.connector.state !== 'live'", "the break")
    await wait_for_streams(site, 2)
    await bob.sees_connection_status("live")
    assert await bob.page.evaluate("said") == []
    await sees(bob, "Alice is here")


async def test_who_signs_out_is_a_guest_here(alice: Person, bob: Person) -> None:
    await sees(bob, "Alice is here")
    await alice.page.locator(".account__sign-out").click()
    await sees(bob, "1 guest is here")
    await sees(alice, "Bob is here")


@pytest.mark.parametrize("settings", [{"presence": False}], indirect=True)
async def test_switched_off_the_page_does_without(alice: Person, bob: Person) -> None:
    await alice.composer.press_sequentially("Hello")
    await alice.composer.press("Control+Enter")
    await bob.sees("Hello")
    for person in (alice, bob):
        assert not await person.page.evaluate(IS_TOLD)
        assert said_typing(person) == 0


async def test_on_a_phone_it_takes_one_line(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", viewport=PHONE)
    await alice.page.evaluate("parley.connector.close()")
    long = [{"id": letter, "username": letter * 30} for letter in "WM"]
    await watch_layout(alice)
    room = await alice.page.evaluate(ROOM)
    await alice.page.evaluate(TELL, {"people": long, "count": 12, "guests": 3, "typing": long, "typing_count": 2})
    await alice.until(f"{TYPING}.endsWith('are typing…')", "the typing")
    assert await alice.page.evaluate(ROOM) == room
    for line in (".thread__presence", ".composer__typing"):
        assert await alice.page.locator(f"{line} .said__what").evaluate(IS_WHOLE), "names are cut off, and nothing else"
    await assert_no_jumps(alice)
