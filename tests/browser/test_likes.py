"""Likes in the page: immediate, sent once, the same in all tabs of a person, with a number that changes once."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import TYPE_CHECKING, Any

from playwright.async_api import Route

from tests.browser.conftest import OpenBrowser
from tests.browser.network_faults import api_unreachable, drop_responses
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import SENT, Person
from tests.browser.sample_thread import NOTHING_ANIMATES
from tests.support.people import delete, read_json, sign_in, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.support.serving import Site

LIKE = "**/like"
ALL_CONFIRMED = "parley.likes.counts.size === 0"

# Records each text of the number from now on.
RECORD_NUMBERS = """() => {
  const number = document.querySelector(".comment__likes");
  window.numbers = [];
  const record = () => window.numbers.at(-1) !== number.textContent && window.numbers.push(number.textContent);
  new MutationObserver(record).observe(number, { childList: true, characterData: true, subtree: true });
}"""
# Holds the events of likes and comments until the test releases them, one kind at a time.
HOLD_EVENTS = """() => {
  const { bus } = parley, trigger = bus.trigger;
  window.held = { like: [], comment: [] };
  bus.trigger = (name, ...values) => {
    const [, kind] = /^global\\.(like|comment)\\./.exec(name) ?? [];
    if (kind) window.held[kind].push(() => trigger.call(bus, name, ...values));
    else trigger.call(bus, name, ...values);
    return bus;
  };
}"""
RELEASE_EVENTS = "(kind) => window.held[kind].splice(0).forEach((trigger) => trigger())"
POSITIONS = """() => Array.from(document.querySelectorAll(".thread *:not(.comment__likes)"), (element) => {
  const { x, y, width, height } = element.getBoundingClientRect();
  return [x, y, width, height];
})"""
STOP_HOLDING = "delete parley.bus.trigger"


async def sees_likes(person: Person, body: str, number: str, pressed: bool) -> None:
    """Wait until the button below the comment shows this number and state."""
    like = person.comment(body).locator(".comment__like")

    async def has_number() -> bool:
        found = (await like.inner_text()).strip(), await like.get_attribute("aria-pressed")
        return found == (number, str(pressed).lower())

    await wait_until(has_number, f"{person.name} to see {number or 'no'} like(s), pressed: {pressed}")


async def like(person: Person, body: str) -> None:
    await person.comment(body).locator(".comment__like").click()


def like_requests(person: Person) -> list[str]:
    """The methods of all requests about likes."""
    return [request.split()[0] for request in person.requests if request.endswith("/like")]


async def fetch_likes(client: httpx.AsyncClient, comment: dict[str, Any]) -> int:
    return int(read_json(await client.get(f"/api/comments/{comment['id']}"), 200)["likes_count"])


async def wait_for_likes(client: httpx.AsyncClient, comment: dict[str, Any], number: int) -> None:
    """Wait until the API returns this number of likes, which the server updates once a second."""

    async def has_number() -> bool:
        return await fetch_likes(client, comment) == number

    await wait_until(has_number, f"{number} like(s) to be published")


async def test_bob_sees_that_alice_likes_what_carol_wrote(
    alice: Person, bob: Person, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Mind the step.")
    for person in (alice, bob):
        await person.sees("Mind the step.")
    tab = await alice.open_another_tab()
    await like(alice, "Mind the step.")
    for own in (alice, tab):
        await sees_likes(own, "Mind the step.", "1", pressed=True)
    await sees_likes(bob, "Mind the step.", "1", pressed=False)
    await like(bob, "Mind the step.")
    for own in (alice, tab, bob):
        await sees_likes(own, "Mind the step.", "2", pressed=True)
    name = await alice.comment("Mind the step.").locator(".comment__like").get_attribute("aria-label")
    assert name == "Like, 2 likes"
    await like(tab, "Mind the step.")
    await sees_likes(alice, "Mind the step.", "1", pressed=False)
    await alice.reload()
    await sees_likes(alice, "Mind the step.", "1", pressed=False)
    await bob.reload()
    await sees_likes(bob, "Mind the step.", "1", pressed=True)


async def test_alices_page_contains_her_likes_from_the_start(alice: Person, carol_client: httpx.AsyncClient) -> None:
    comment = await write(carol_client, "Mind the step.")
    read_json(await alice.client.put(f"/api/comments/{comment['id']}/like"), 200)
    html = await (await alice.context.request.get("/Article/1")).text()
    assert 'class="comment__like" type="button" aria-pressed="true"' in html
    await sees_likes(alice, "Mind the step.", "1", pressed=True)  # from another device


async def test_a_guest_who_likes_gets_the_auth_dialog(guest: Person, carol_client: httpx.AsyncClient) -> None:
    comment = await write(carol_client, "Mind the step.")
    await guest.sees("Mind the step.")
    await like(guest, "Mind the step.")
    await guest.until("document.querySelector('.entry[data-mode=signin]').open", "the dialog")
    assert await fetch_likes(carol_client, comment) == 0
    assert not [request for request in guest.requests if "/api/likes" in request]


async def test_alice_cannot_like_a_comment_before_it_is_sent(
    alice: Person, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    async with api_unreachable(alice, site):
        await alice.write("Unsent")
        assert not await alice.comment("Unsent").locator(".comment__like").is_enabled()
    await alice.is_settled()
    await like(alice, "Unsent")
    await sees_likes(alice, "Unsent", "1", pressed=True)


async def test_alice_sees_the_number_change_once_in_any_order_of_response_and_echoes(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    """The response and the echoes of the like and the comment arrive in every order. Each click is one step."""
    await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    await alice.page.evaluate(RECORD_NUMBERS)
    await alice.page.evaluate(HOLD_EVENTS)
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        await released.wait()
        await route.fulfill(response=response)

    await alice.context.route(LIKE, hold)
    for order in permutations(("response", "like", "comment")):
        for number in ("1", ""):
            released.clear()
            await alice.page.evaluate("window.numbers = []")
            await like(alice, "Mind the step.")
            await alice.until("window.held.like.length === 1 && window.held.comment.length === 1", "both echoes")
            for arrival in order:
                if arrival == "response":
                    released.set()
                    await alice.until("parley.outbox.records.every(({ sent }) => sent.length === 0)", "the response")
                else:
                    await alice.page.evaluate(RELEASE_EVENTS, arrival)
            await alice.until(f"{SENT} && {ALL_CONFIRMED}", "all to be confirmed")
            assert await alice.page.evaluate("window.numbers") == [number], order
            await sees_likes(alice, "Mind the step.", number, pressed=number == "1")


async def test_alice_sees_likes_by_others_that_happen_before_her_response(
    alice: Person, bob: Person, carol_client: httpx.AsyncClient
) -> None:
    comment = await write(carol_client, "Mind the step.")
    path = f"/api/comments/{comment['id']}/like"
    await alice.sees("Mind the step.")
    await alice.page.evaluate(HOLD_EVENTS)
    await bob.client.put(path)
    await like(alice, "Mind the step.")
    await sees_likes(alice, "Mind the step.", "1", pressed=True)  # her own like; Bob's has not arrived
    await carol_client.put(path)
    await bob.client.delete(path)
    await alice.until(SENT, "the response")
    await alice.page.evaluate(STOP_HOLDING)
    for kind in ("comment", "like"):
        await alice.page.evaluate(RELEASE_EVENTS, kind)
    await sees_likes(alice, "Mind the step.", "2", pressed=True)
    await alice.until(ALL_CONFIRMED, "all to be confirmed")


async def test_alice_likes_and_unlikes_offline_and_one_request_is_sent(
    alice: Person, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    one, two = await write(carol_client, "One"), await write(carol_client, "Two")
    await alice.sees("One", "Two")
    await alice.context.set_offline(True)
    for _ in range(3):
        await like(alice, "One")
    for _ in range(2):
        await like(alice, "Two")
    await sees_likes(alice, "One", "1", pressed=True)
    await sees_likes(alice, "Two", "", pressed=False)
    await alice.context.set_offline(False)
    await alice.until(SENT, "an empty outbox")
    assert (await fetch_likes(carol_client, one), await fetch_likes(carol_client, two)) == (1, 0)
    await sees_likes(alice, "One", "1", pressed=True)
    await alice.until(ALL_CONFIRMED, "all to be confirmed")


async def test_alices_like_survives_a_reload_and_a_lost_response(
    alice: Person, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    comment = await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    async with api_unreachable(alice, site):
        await like(alice, "Mind the step.")
        await alice.page.evaluate("parley.outbox.kept()")
        await alice.page.reload()
        await alice.until("window.parley", "the page")
        await sees_likes(alice, "Mind the step.", "1", pressed=True)
    lost = await drop_responses(alice, lambda request: request.url.endswith("/like") and not lost)
    await alice.until(SENT, "the request")
    await sees_likes(alice, "Mind the step.", "1", pressed=True)
    await wait_for_likes(carol_client, comment, 1)


async def test_alice_clicks_quickly_and_the_last_click_counts(
    alice: Person, carol_client: httpx.AsyncClient, page_errors: PageErrors
) -> None:
    """She clicks while requests are open, and each third response is lost."""
    page_errors.allow(NETWORK)
    comment = await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    count = 0

    def each_third(_: Any) -> bool:
        nonlocal count
        count += 1
        return count % 3 == 0

    await drop_responses(alice, lambda request: request.url.endswith("/like") and each_third(request))
    for _ in range(15):
        await like(alice, "Mind the step.")
        await asyncio.sleep(0.02)
    await alice.until(f"{SENT} && {ALL_CONFIRMED}", "all to be confirmed")
    await sees_likes(alice, "Mind the step.", "1", pressed=True)
    await wait_for_likes(carol_client, comment, 1)


async def test_alice_sees_no_error_if_the_comment_that_she_likes_was_deleted(
    alice: Person, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    page_errors.allow("404")
    comment = await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    async with api_unreachable(alice, site):
        await like(alice, "Mind the step.")
        await delete(carol_client, comment)
    await alice.until(SENT, "an empty outbox")
    await alice.sees()
    assert await alice.page.locator(".light").get_attribute("data-says") != "refused"


async def test_alice_sees_her_own_likes_only_while_she_is_signed_in(
    open_browser: OpenBrowser, alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    await like(alice, "Mind the step.")
    await alice.until(SENT, "the request")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await sees_likes(alice, "Mind the step.", "1", pressed=False)
    await sign_in(alice.client, "Alice")
    await alice.page.evaluate("parley.account.signIn({email: 'alice@example.com', password: 'talk among friends'})")
    await alice.is_signed_in("Alice")
    await sees_likes(alice, "Mind the step.", "1", pressed=True)
    await alice.until("parley.connector.state === 'live'", "the stream")
    await like(alice, "Mind the step.")
    await sees_likes(alice, "Mind the step.", "", pressed=False)


async def test_alice_likes_with_the_keyboard_alone(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    await alice.page.evaluate(RECORD_NUMBERS)
    await alice.press(".comment__like")
    await sees_likes(alice, "Mind the step.", "1", pressed=True)
    assert await alice.has_focus(".comment__like")
    await alice.page.keyboard.press("Space")
    await sees_likes(alice, "Mind the step.", "", pressed=False)
    assert await alice.page.evaluate("window.numbers") == ["1", ""]


async def test_alice_sees_no_part_move_when_she_likes(alice: Person, carol_client: httpx.AsyncClient) -> None:
    for body in ("Above", "Mind the step.", "Below"):
        await write(carol_client, body)
    await alice.sees("Above", "Mind the step.", "Below")
    button = alice.comment("Mind the step.").locator(".comment__like")
    await button.scroll_into_view_if_needed()
    await button.hover()
    await alice.until(NOTHING_ANIMATES, "the animations to end")
    before = await alice.page.evaluate(POSITIONS)
    await like(alice, "Mind the step.")
    await sees_likes(alice, "Mind the step.", "1", pressed=True)
    await alice.until(f"{SENT} && {ALL_CONFIRMED}", "all to be confirmed")
    assert await alice.page.evaluate(POSITIONS) == before
