"""Likes in the page: at once, once, the same in all of one's tabs, and a number that never jumps."""

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
LEVEL = "parley.likes.counts.size === 0"

# All that the number says from now on, one after the other.
WATCH = """() => {
  const number = document.querySelector(".comment__likes");
  window.said = [];
  const say = () => window.said.at(-1) !== number.textContent && window.said.push(number.textContent);
  new MutationObserver(say).observe(number, { childList: true, characterData: true, subtree: true });
}"""
# What the stream says of likes and comments waits until it is let through, one kind at a time.
HOLD = """() => {
  const { bus } = parley, trigger = bus.trigger;
  window.held = { like: [], comment: [] };
  bus.trigger = (name, ...said) => {
    const [, kind] = /^global\\.(like|comment)\\./.exec(name) ?? [];
    if (kind) window.held[kind].push(() => trigger.call(bus, name, ...said));
    else trigger.call(bus, name, ...said);
    return bus;
  };
}"""
RELEASE = "(kind) => window.held[kind].splice(0).forEach((tell) => tell())"
PLACES = """() => Array.from(document.querySelectorAll(".thread *:not(.comment__likes)"), (element) => {
  const { x, y, width, height } = element.getBoundingClientRect();
  return [x, y, width, height];
})"""
LET_GO = "delete parley.bus.trigger"


async def shows_likes(person: Person, body: str, number: str, pressed: bool) -> None:
    """Waits until this is under the comment."""
    like = person.comment(body).locator(".comment__like")

    async def look() -> bool:
        found = (await like.inner_text()).strip(), await like.get_attribute("aria-pressed")
        return found == (number, str(pressed).lower())

    await wait_until(look, f"{person.name} to see {number or 'no'} like(s), pressed: {pressed}")


async def like(person: Person, body: str) -> None:
    await person.comment(body).locator(".comment__like").click()


def asked(person: Person) -> list[str]:
    """The methods of all requests about likes."""
    return [request.split()[0] for request in person.requests if request.endswith("/like")]


async def liked(client: httpx.AsyncClient, comment: dict[str, Any]) -> int:
    return int(read_json(await client.get(f"/api/comments/{comment['id']}"), 200)["likes_count"])


async def comes_to(client: httpx.AsyncClient, comment: dict[str, Any], number: int) -> None:
    """Waits until so many likes are published, which is once a second."""

    async def look() -> bool:
        return await liked(client, comment) == number

    await wait_until(look, f"{number} like(s) to be published")


async def test_alice_likes_what_carol_says(alice: Person, bob: Person, carol_client: httpx.AsyncClient) -> None:
    await write(carol_client, "Mind the step.")
    for person in (alice, bob):
        await person.sees("Mind the step.")
    tab = await alice.open_another_tab()
    await like(alice, "Mind the step.")
    for own in (alice, tab):
        await shows_likes(own, "Mind the step.", "1", pressed=True)
    await shows_likes(bob, "Mind the step.", "1", pressed=False)
    await like(bob, "Mind the step.")
    for own in (alice, tab, bob):
        await shows_likes(own, "Mind the step.", "2", pressed=True)
    name = await alice.comment("Mind the step.").locator(".comment__like").get_attribute("aria-label")
    assert name == "Like, 2 likes"
    await like(tab, "Mind the step.")
    await shows_likes(alice, "Mind the step.", "1", pressed=False)
    await alice.reload()
    await shows_likes(alice, "Mind the step.", "1", pressed=False)
    await bob.reload()
    await shows_likes(bob, "Mind the step.", "1", pressed=True)


async def test_the_page_comes_with_what_one_likes(alice: Person, carol_client: httpx.AsyncClient) -> None:
    comment = await write(carol_client, "Mind the step.")
    read_json(await alice.client.put(f"/api/comments/{comment['id']}/like"), 200)
    html = await (await alice.context.request.get("/Article/1")).text()
    assert 'class="comment__like" type="button" aria-pressed="true"' in html
    await shows_likes(alice, "Mind the step.", "1", pressed=True)  # from another device


async def test_a_guest_is_shown_the_door(guest: Person, carol_client: httpx.AsyncClient) -> None:
    comment = await write(carol_client, "Mind the step.")
    await guest.sees("Mind the step.")
    await like(guest, "Mind the step.")
    await guest.until("document.querySelector('.entry[data-mode=signin]').open", "the door")
    assert await liked(carol_client, comment) == 0
    assert not [request for request in guest.requests if "/api/likes" in request]


async def test_what_is_not_sent_cannot_be_liked_yet(alice: Person, site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    async with api_unreachable(alice, site):
        await alice.write("Unsent")
        assert not await alice.comment("Unsent").locator(".comment__like").is_enabled()
    await alice.is_settled()
    await like(alice, "Unsent")
    await shows_likes(alice, "Unsent", "1", pressed=True)


async def test_the_number_moves_once_whatever_comes_first(alice: Person, carol_client: httpx.AsyncClient) -> None:
    """The answer, the like's echo, the comment's: in every order, and for each click one step."""
    await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    await alice.page.evaluate(WATCH)
    await alice.page.evaluate(HOLD)
    go_on = asyncio.Event()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        await go_on.wait()
        await route.fulfill(response=response)

    await alice.context.route(LIKE, hold)
    for order in permutations(("answer", "like", "comment")):
        for number in ("1", ""):
            go_on.clear()
            await alice.page.evaluate("window.said = []")
            await like(alice, "Mind the step.")
            await alice.until("window.held.like.length === 1 && window.held.comment.length === 1", "both echoes")
            for what in order:
                if what == "answer":
                    go_on.set()
                    await alice.until("parley.outbox.records.every(({ sent }) => sent.length === 0)", "the answer")
                else:
                    await alice.page.evaluate(RELEASE, what)
            await alice.until(f"{SENT} && {LEVEL}", "all to be level")
            assert await alice.page.evaluate("window.said") == [number], order
            await shows_likes(alice, "Mind the step.", number, pressed=number == "1")


async def test_what_others_like_meanwhile_is_counted(
    alice: Person, bob: Person, carol_client: httpx.AsyncClient
) -> None:
    comment = await write(carol_client, "Mind the step.")
    path = f"/api/comments/{comment['id']}/like"
    await alice.sees("Mind the step.")
    await alice.page.evaluate(HOLD)
    await bob.client.put(path)
    await like(alice, "Mind the step.")
    await shows_likes(alice, "Mind the step.", "1", pressed=True)  # hers; of his nothing is known
    await carol_client.put(path)
    await bob.client.delete(path)
    await alice.until(SENT, "the answer")
    await alice.page.evaluate(LET_GO)
    for kind in ("comment", "like"):
        await alice.page.evaluate(RELEASE, kind)
    await shows_likes(alice, "Mind the step.", "2", pressed=True)
    await alice.until(LEVEL, "all to be level")


async def test_given_and_taken_back_without_a_connection_it_is_one_request(
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
    await shows_likes(alice, "One", "1", pressed=True)
    await shows_likes(alice, "Two", "", pressed=False)
    await alice.context.set_offline(False)
    await alice.until(SENT, "all to be sent")
    assert (await liked(carol_client, one), await liked(carol_client, two)) == (1, 0)
    await shows_likes(alice, "One", "1", pressed=True)
    await alice.until(LEVEL, "all to be level")


async def test_a_like_outlives_the_page_and_lost_answers(
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
        await shows_likes(alice, "Mind the step.", "1", pressed=True)
    lost = await drop_responses(alice, lambda request: request.url.endswith("/like") and not lost)
    await alice.until(SENT, "it to be sent")
    await shows_likes(alice, "Mind the step.", "1", pressed=True)
    await comes_to(carol_client, comment, 1)


async def test_quickly_to_and_fro_the_last_word_counts(
    alice: Person, carol_client: httpx.AsyncClient, page_errors: PageErrors
) -> None:
    """While each request is under way, and some of the answers are lost."""
    page_errors.allow(NETWORK)
    comment = await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    turns = 0

    def each_third(_: Any) -> bool:
        nonlocal turns
        turns += 1
        return turns % 3 == 0

    await drop_responses(alice, lambda request: request.url.endswith("/like") and each_third(request))
    for _ in range(15):
        await like(alice, "Mind the step.")
        await asyncio.sleep(0.02)
    await alice.until(f"{SENT} && {LEVEL}", "all to be level")
    await shows_likes(alice, "Mind the step.", "1", pressed=True)
    await comes_to(carol_client, comment, 1)


async def test_what_is_gone_meanwhile_is_no_trouble(
    alice: Person, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    page_errors.allow("404")
    comment = await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    async with api_unreachable(alice, site):
        await like(alice, "Mind the step.")
        await delete(carol_client, comment)
    await alice.until(SENT, "it to be dropped")
    await alice.sees()
    assert await alice.page.locator(".light").get_attribute("data-says") != "refused"


async def test_whoever_looks_sees_their_own(
    open_browser: OpenBrowser, alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    await like(alice, "Mind the step.")
    await alice.until(SENT, "it to be sent")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await shows_likes(alice, "Mind the step.", "1", pressed=False)
    await sign_in(alice.client, "Alice")
    await alice.page.evaluate("parley.account.signIn({email: 'alice@example.com', password: 'talk among friends'})")
    await alice.is_signed_in("Alice")
    await shows_likes(alice, "Mind the step.", "1", pressed=True)
    await alice.until("parley.connector.state === 'live'", "the stream")
    await like(alice, "Mind the step.")
    await shows_likes(alice, "Mind the step.", "", pressed=False)


async def test_with_keys_alone(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await write(carol_client, "Mind the step.")
    await alice.sees("Mind the step.")
    await alice.page.evaluate(WATCH)
    await alice.press(".comment__like")
    await shows_likes(alice, "Mind the step.", "1", pressed=True)
    assert await alice.has_focus(".comment__like")
    await alice.page.keyboard.press("Space")
    await shows_likes(alice, "Mind the step.", "", pressed=False)
    assert await alice.page.evaluate("window.said") == ["1", ""]


async def test_a_like_moves_nothing(alice: Person, carol_client: httpx.AsyncClient) -> None:
    for body in ("Above", "Mind the step.", "Below"):
        await write(carol_client, body)
    await alice.sees("Above", "Mind the step.", "Below")
    button = alice.comment("Mind the step.").locator(".comment__like")
    await button.scroll_into_view_if_needed()
    await button.hover()
    await alice.until(NOTHING_ANIMATES, "what has come to stand where it stays")
    before = await alice.page.evaluate(PLACES)
    await like(alice, "Mind the step.")
    await shows_likes(alice, "Mind the step.", "1", pressed=True)
    await alice.until(f"{SENT} && {LEVEL}", "all to be level")
    assert await alice.page.evaluate(PLACES) == before
