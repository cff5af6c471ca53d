"""Following and muting: the menu beside a conversation's heading, and the lists on the account page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from sqlalchemy import select

from app.reply_mail.follows import Follow
from tests.browser.readability import PHONE, assert_fits_phone, assert_readable
from tests.support.people import ARTICLE, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

BUTTON = ".follow__button"
PATHS = {"followed": "/api/followed_conversations", "muted": "/api/muted_conversations"}
FOLLOWED, MUTED = ".followed-conversations", ".muted-conversations"


async def chosen(client: httpx.AsyncClient) -> list[str]:
    """What Alice has chosen for the conversation."""
    return [name for name, path in PATHS.items() if (await client.get(path)).json()["conversations"]]


def item(mails: str) -> str:
    return f".follow__item[data-mails={mails}]"


async def test_alice_follows_and_mutes_a_conversation_by_keyboard(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")
    await alice.tab_to(BUTTON)
    await alice.page.keyboard.press("ArrowDown")
    await alice.focus_is_on(item("usual"))
    await alice.page.keyboard.press("Home")
    await alice.page.keyboard.press("Enter")
    await alice.sees_text(BUTTON, "Following")
    await alice.focus_is_on(BUTTON)
    assert await chosen(alice.client) == ["followed"]
    await alice.go("/Article/1")
    await alice.sees_text(BUTTON, "Following")
    await alice.press(BUTTON)
    await alice.focus_is_on(item("followed"))
    await alice.page.keyboard.press("ArrowUp")
    await alice.page.keyboard.press("Enter")
    await alice.sees_text(BUTTON, "Muted")
    assert await chosen(alice.client) == ["muted"]
    await alice.press(BUTTON)
    await alice.focus_is_on(item("muted"))
    await alice.page.keyboard.press("Escape")
    await alice.focus_is_on(BUTTON)
    await alice.press(BUTTON)
    await alice.focus_is_on(item("muted"))
    await alice.page.keyboard.press("ArrowUp")
    await alice.page.keyboard.press("Enter")
    await alice.until(f"document.querySelector('{BUTTON}').textContent === 'Follow'", "neither of them")
    assert await chosen(alice.client) == []


async def test_alice_unfollows_and_unmutes_by_keyboard_on_her_account_page(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")

    async def choose(mails: str, id_: str) -> None:
        await alice.client.put(PATHS[mails], json={**ARTICLE, "commentable_id": id_})

    for number in range(11):
        await choose("followed", f"{number}")
    await choose("muted", "a/b & c")
    await alice.go("/account")
    await alice.press(f"{FOLLOWED} .listing__all")
    await alice.focus_is_on(f"{FOLLOWED} .listed:nth-child(11) .listed__end")
    await alice.page.keyboard.press("Enter")
    await alice.focus_is_on(f"{FOLLOWED} .listing__heading")
    await alice.sees_text(".announcer", "You no longer follow Article 0.")
    names = await alice.page.locator(f"{FOLLOWED} .listed__name").all_inner_texts()
    assert names == [f"Article {number}" for number in range(10, 0, -1)]

    await alice.tab_to(f"{MUTED} .listed__name")
    link = alice.page.locator(f"{MUTED} .listed__name")
    assert await link.get_attribute("href") == "/Article/a/b%20%26%20c?host=1"
    await choose("muted", "10")  # in another tab
    await alice.page.evaluate("window.dispatchEvent(new Event('focus'))")
    await alice.until(f"document.querySelectorAll('{FOLLOWED} .listed').length === 9", "it is no longer followed")
    await alice.until(f"document.querySelectorAll('{MUTED} .listed').length === 2", "it is muted")
    await alice.focus_is_on(f"{MUTED} .listed:nth-child(2) .listed__name")
    for _ in range(2):
        await alice.press(f"{MUTED} .listed__end")
        await alice.focus_is_on(f"{MUTED} .listing__heading")
    await alice.sees_text(f"{MUTED} .listing__none", "You haven't muted any.")
    assert await chosen(alice.client) == ["followed"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_alice_can_read_the_menu_on_a_small_phone(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser
) -> None:
    alice = await open_browser("Alice", viewport=PHONE, color_scheme=scheme)
    await alice.press(BUTTON)
    await alice.focus_is_on(item("usual"))
    await assert_fits_phone(alice)
    await assert_readable(alice)


async def test_a_guest_is_asked_to_sign_in(open_browser: OpenBrowser) -> None:
    guest = await open_browser()
    await guest.press(BUTTON)
    await guest.sees_text("dialog[open]", "Sign in")


async def test_comments_that_alice_sees_in_the_conversation_count_as_read(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site
) -> None:
    alice = await open_browser("Alice")
    await alice.client.put(PATHS["followed"], json=ARTICLE)
    comment: dict[str, Any] = await write(carol_client, "Hello")
    await alice.go("/Article/1")
    parley = site.state.parley

    async def is_read() -> bool:
        async with parley.reading() as reading:
            return (await reading.scalar(select(Follow.read_seq)) or 0) >= comment["seq"]

    await wait_until(is_read, "the page to report it")
