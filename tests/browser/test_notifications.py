"""Notifications in the browser: the bell counts live, and a mark applies in every tab and on every device."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.live.topics import Topic
from app.notifications.notifications import Notification
from tests.browser.network_faults import api_unreachable
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person, cookies_of
from tests.support import people
from tests.support.people import PASSWORD, delete, edit, email_of, read_json, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

BADGE = "document.querySelector('.bell__badge')"
BUTTON = "document.querySelector('.bell__button')"
LINES = """(list) => Array.from(document.querySelectorAll(list + " .notification"), (el) => {
  const part = (name) => el.querySelector(".notification__" + name);
  const where = el.closest(".conversation").querySelector(".conversation__title");
  return [part("words").textContent, part("excerpt").textContent, where.textContent, el.dataset.state];
})"""


async def sees_count(person: Person, unread: int) -> None:
    """Wait until the bell has this label for a screen reader, and check the number that it shows."""
    label = f"Notifications, {unread} unread" if unread else "Notifications"
    await person.until(f"{BUTTON}.getAttribute('aria-label') === '{label}'", label)
    shown = f"{BADGE}.checkVisibility() ? {BADGE}.textContent : ''"
    assert await person.page.evaluate(f"() => {shown}") == (str(unread) if unread else "")


async def sees_lines(person: Person, *lines: tuple[str, str, str, str], list: str = ".bell__list") -> None:
    await wait_until(lambda: _has_lines(person, list, lines), f"{person.name} to see {lines}")


async def _has_lines(person: Person, list: str, lines: tuple[tuple[str, str, str, str], ...]) -> bool:
    found: Any = await person.page.evaluate(LINES, list)
    return [tuple(line) for line in found] == [*lines]


async def notify_in_two_threads(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> tuple[dict[str, Any], ...]:
    """Bob replies to Alice under Article/1, and then mentions her under Article/2. A person who reads one
    of them in its thread does not see the other one."""
    (reply,) = await reply_to(alice, bob, 1)
    return reply, await write(bob, "@Alice, see", commentable_id="2")


async def reply_to(alice: httpx.AsyncClient, bob: httpx.AsyncClient, replies: int) -> list[dict[str, Any]]:
    """Alice writes a comment, and Bob replies to it this many times."""
    parent = await write(alice, "Well?")
    return [await write(bob, f"Number {number}", parent_id=parent["id"]) for number in range(replies)]


async def fetch_unread(client: httpx.AsyncClient) -> int:
    return int(read_json(await client.get("/api/notifications/"), 200)["unread"])


async def test_alice_reads_a_notification_in_one_tab_and_it_is_read_everywhere(
    alice: Person, open_browser: OpenBrowser, site: Site
) -> None:
    await alice.go("/")
    tab = await alice.open_another_tab("/")
    device = await open_browser(at="/")
    read_json(await device.client.post("/api/session", json={"email": email_of("Alice"), "password": PASSWORD}), 200)
    await device.context.add_cookies(cookies_of(device.client))
    await device.reload()
    everywhere = (alice, tab, device)
    async with people.person(site, "Bob") as bob:
        comment, last = await notify_in_two_threads(alice.client, bob)
        for place in everywhere:
            await sees_count(place, 2)
        await tab.page.click(".bell__button")
        await sees_lines(
            tab,
            ("Bob mentioned you", "@Alice, see", "Article 2", "unread"),
            ("Bob replied to you", "Number 0", "Article 1", "unread"),
        )
        await tab.page.locator(".notification__link").last.click()
        await tab.until(f"location.pathname + location.hash === '/Article/1#comment-{comment['id']}'", "the comment")
        await tab.is_ready()
        for place in everywhere:
            await sees_count(place, 1)
        await device.page.click(".bell__button")
        await device.page.click(".bell__read-all")
        for place in everywhere:
            await sees_count(place, 0)
        await delete(bob, comment)
        await write(bob, "@Alice, look", commentable_id="3")
        await edit(bob, last, "@Alice, see there")
        by_conversation = (
            ("Bob mentioned you", "@Alice, look", "Article 3", "unread"),
            ("Bob mentioned you", "@Alice, see there", "Article 2", "read"),
        )
        await sees_lines(device, *by_conversation)
        await device.page.locator(".notification__link").last.focus()
        await write(bob, "@Alice, too", commentable_id="2")
        newest = ("Bob mentioned you", "@Alice, too", "Article 2", "unread")
        await sees_lines(device, newest, by_conversation[1], by_conversation[0])
        assert await device.page.evaluate("() => document.activeElement.textContent.includes('see there')")


@pytest.mark.virtual_clock
async def test_alice_reads_a_reply_in_its_thread_and_it_is_read_everywhere(
    alice: Person, open_browser: OpenBrowser, site: Site
) -> None:
    device = await open_browser(at="/", clock=False)
    read_json(await device.client.post("/api/session", json={"email": email_of("Alice"), "password": PASSWORD}), 200)
    await device.context.add_cookies(cookies_of(device.client))
    await device.reload()
    await alice.page.evaluate("document.hasFocus = () => false")
    async with people.person(site, "Bob") as bob:
        (reply,) = await reply_to(alice.client, bob, 1)
    await alice.page.locator(f"#comment-{reply['id']}").scroll_into_view_if_needed()
    for place in (alice, device):
        await sees_count(place, 1)
    for _ in range(4):
        await let_time_pass(alice)
    await sees_count(alice, 1)  # she is at another window
    await alice.page.evaluate("delete document.hasFocus")
    await wait_until(lambda: _has_read_with_time(alice), "the reply to be read")
    await sees_count(device, 0)
    await alice.page.evaluate("parley.notifications.last().mark(false)")
    await sees_count(device, 1)
    for _ in range(4):
        await let_time_pass(alice)
    await sees_count(alice, 1)  # she has marked it as unread herself


async def let_time_pass(person: Person) -> None:
    """Let three seconds pass, and the browser draw two frames."""
    await person.page.clock.fast_forward(3_000)
    await person.page.evaluate("new Promise((end) => requestAnimationFrame(() => requestAnimationFrame(end)))")


async def _has_read_with_time(person: Person) -> bool:
    await let_time_pass(person)
    return await person.page.evaluate("parley.notifications.unread()") == 0


async def test_alices_screen_reader_reads_one_sentence_for_many_notifications(
    alice: Person, site: Site, served: Parley
) -> None:
    announced = "document.querySelector('.announcer').textContent"
    async with people.person(site, "Bob") as bob:
        await write(bob, "Hello @alice", commentable_id="2")
        await alice.until(f"{announced} === 'Bob mentioned you.'", "one announcement")
        await store_notifications(served, 3)
        await alice.until(f"{announced}.includes('3 new notifications.')", "one announcement for three")
    assert await alice.page.evaluate(f"() => {BUTTON}.getAttribute('aria-expanded')") == "false"


async def test_alice_uses_the_bell_with_the_keyboard_alone(alice: Person, site: Site) -> None:
    await alice.go("/")
    async with people.person(site, "Bob") as bob:
        comment, _ = await notify_in_two_threads(alice.client, bob)
    await sees_count(alice, 2)
    keys = alice.page.keyboard
    await alice.press(".bell__button")
    await alice.focus_is_on(".bell__panel")
    await keys.press("Escape")
    await alice.focus_is_on(".bell__button")
    assert not await alice.page.locator(".bell__panel").is_visible()

    await keys.press("Enter")
    await alice.tab_to(".bell__read-all")
    await alice.tab_to(".bell__all")
    await keys.press("Tab")
    await alice.until("document.querySelector('.bell__panel').hidden", "the panel to close")

    await alice.tab_to(".bell__button", "Shift+Tab")
    await keys.press("Enter")
    await alice.tab_to(".notification__link")
    await alice.tab_to(".notification__link")
    await keys.press("Enter")
    await alice.until(f"location.hash === '#comment-{comment['id']}'", "the comment's address")
    await sees_count(alice, 1)

    await alice.press(".bell__button", "Shift+Tab")
    await alice.press(".bell__read-all")
    await alice.focus_is_on(".bell__panel")
    await sees_count(alice, 0)
    await alice.press(".bell__all")
    await alice.until("location.pathname === '/inbox'", "the inbox")
    await alice.is_ready()
    await alice.press(".notification__toggle")
    await alice.focus_is_on(".notification__toggle")
    await sees_count(alice, 1)


async def test_alice_marks_notifications_read_offline_and_each_mark_is_sent_once(
    alice: Person, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await alice.go("/Article/3")
    async with people.person(site, "Bob") as bob:
        await write(bob, "@Alice, look", commentable_id="4")  # not where she goes, where she would read it
        await notify_in_two_threads(alice.client, bob)
    await sees_count(alice, 3)
    async with api_unreachable(alice, site):
        await alice.page.click(".bell__button")
        await alice.page.locator(".notification__link").first.click()
        await sees_count(alice, 2)
        await alice.page.click(".bell__button")
        await alice.page.click(".bell__read-all")
        await sees_count(alice, 0)
        assert await fetch_unread(alice.client) == 3
        alice.requests.clear()
    await alice.has_sent_all()
    assert await fetch_unread(alice.client) == 0
    await sees_count(alice, 0)
    marks = [request for request in alice.requests if request.startswith("PATCH /api/notifications/")]
    assert len(marks) == len(set(marks)) == 2, marks
    page = read_json(await alice.client.get("/api/notifications/"), 200)
    assert len({notification["seq"] for notification in page["notifications"]}) == 3


async def test_alice_reads_her_inbox_page_by_page(alice: Person, site: Site, served: Parley) -> None:
    shown = "document.querySelectorAll('.inbox .notification').length"
    async with people.person(site, "Bob") as bob:
        await reply_to(alice.client, bob, 1)
        await store_notifications(served, 62)
        await alice.go("/inbox")
        await sees_count(alice, 63)
        await alice.until(f"{shown} === 50", "a page")
        await write(bob, "@Alice, too", commentable_id="2")
        await alice.until(f"{shown} === 51", "a new one")
    await alice.page.click(".inbox__earlier")
    await alice.until(f"{shown} === 64", "all notifications")
    assert not await alice.page.locator(".inbox__earlier").is_visible()
    await sees_count(alice, 64)
    first: Any = await alice.page.evaluate(LINES, ".inbox")
    assert first[0] == ["Bob mentioned you", "@Alice, too", "Article 2", "unread"]
    await alice.page.locator(".inbox .notification__toggle").nth(1).click()
    await sees_count(alice, 63)
    await alice.has_sent_all()

    await alice.go("/Article/3")  # notifications that are not loaded count, too
    await sees_count(alice, 63)
    page = read_json(await alice.client.get("/api/notifications/", params={"limit": 100}), 200)
    earliest = f"/api/notifications/{page['notifications'][0]['id']}"
    read_json(await alice.client.patch(earliest, json={"read": True}), 200)
    await sees_count(alice, 62)
    await alice.page.click(".bell__button")
    await alice.page.click(".bell__read-all")
    await sees_count(alice, 0)
    await wait_until(lambda: _has_read_all(alice), "the server to store the marks")
    await sees_count(alice, 0)


async def store_notifications(served: Parley, count: int) -> None:
    """Store copies of the one notification in one transaction.

    They are an hour old, because the number of notifications from one author to one person in ten minutes is limited.
    """
    async with served.reading() as reading:
        stored = await reading.scalar(select(Notification))
    assert stored
    same = {name: getattr(stored, name) for name in ("topic", "user_id", "kind", "place", "actor_id", "actor_name")}
    earlier = stored.created_at - timedelta(hours=1)
    async with served.writing(Topic.parse(stored.topic)) as write:
        for _ in range(count):
            write.create(Notification(id=uuid4(), comment_id=uuid4(), created_at=earlier, **same))


async def _has_read_all(person: Person) -> bool:
    return await fetch_unread(person.client) == 0


async def test_alice_sees_that_she_has_no_notifications_yet(alice: Person) -> None:
    await sees_count(alice, 0)
    await alice.page.click(".bell__button")
    assert await alice.page.locator(".bell__empty").is_visible()
    assert not await alice.page.locator(".bell__read-all").is_visible()
    await alice.page.click("h1", position={"x": 4, "y": 4})
    assert not await alice.page.locator(".bell__panel").is_visible()
    await alice.go("/inbox")
    assert await alice.page.locator(".inbox__empty").is_visible()


async def test_alice_and_bob_see_their_own_bell_in_one_browser(guest: Person, site: Site) -> None:
    async with people.person(site, "Alice") as alice, people.person(site, "Bob") as bob:
        await reply_to(alice, bob, 2)
        await reply_to(bob, alice, 1)
        await guest.go("/inbox")
        tab = await guest.open_another_tab("/")
        assert not await guest.page.locator(".bell").is_visible()
        for name, number in (("Alice", 2), ("Bob", 1)):
            await guest.page.click(".inbox__sign-in")
            await guest.sign_in(name)
            for place in (guest, tab):
                await place.is_signed_in(name)
                await sees_count(place, number)
            other = "Bob" if name == "Alice" else "Alice"
            unread_lines = [
                (f"{other} replied to you", f"Number {n}", "Article 1", "unread") for n in reversed(range(number))
            ]
            await sees_lines(guest, *unread_lines, list=".inbox")
            await write(alice if name == "Bob" else bob, f"Hello @{name}")  # the bell changes live
            for place in (guest, tab):
                await sees_count(place, number + 1)
            await guest.page.click(".account__sign-out")
            for place in (guest, tab):
                await place.is_guest()
                assert not await place.page.locator(".bell").is_visible()
                assert await place.page.evaluate("() => parley.notifications.length") == 0


@pytest.mark.parametrize("number", [0, 7, 120])
async def test_alice_sees_no_part_of_the_header_move_whatever_the_bell_counts(alice: Person, number: int) -> None:
    places = "JSON.stringify([...document.querySelectorAll('.top *')].filter((el) => !el.closest('.bell__badge'))"
    places += ".map((el) => el.getBoundingClientRect()))"
    before = await alice.page.evaluate(f"() => {places}")
    await alice.page.evaluate(
        "(n) => { parley.notifications.earlierUnread = n; parley.notifications.before = 1e9;"
        " parley.notifications.trigger('unread'); }",
        number,
    )
    shown = {0: "", 7: "7", 120: "99+"}[number]
    await alice.until(f"{BADGE}.textContent === {json.dumps(shown)}", "the badge")
    assert await alice.page.evaluate(f"() => {places}") == before
