"""The journey of a comment in Firefox and WebKit, if this machine has them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser import other_browsers
from tests.browser.network_faults import reset_streams
from tests.browser.page_errors import PageErrors
from tests.browser.webkit import webkit
from tests.support import people
from tests.support.people import delete, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.people import Person
    from tests.support.serving import Site


@pytest.fixture(scope="module", params=["firefox"])
async def browser() -> AsyncIterator[Browser]:
    firefox = await asyncio.to_thread(other_browsers.firefox)
    if firefox is None:
        pytest.skip("this machine has no Firefox that Playwright can drive")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    async with (
        async_playwright() as playwright,
        await playwright.firefox.launch(
            channel=other_browsers.CHANNEL, executable_path=firefox, env=environment
        ) as browser,
    ):
        yield browser


def test_the_run_prints_which_other_browsers_the_machine_has(capsys: pytest.CaptureFixture[str]) -> None:
    names = ", ".join(other_browsers.list_browsers())
    with capsys.disabled():
        print(f"\nbesides Chromium: {names or 'no other browser that a test can drive'}")


async def test_alice_sees_changes_by_carol_live(alice: Person, carol_client: httpx.AsyncClient) -> None:
    comment = await write(carol_client, "From a phone")
    await alice.sees("From a phone")
    await delete(carol_client, comment)
    await alice.sees()


async def test_alice_writes_edits_and_deletes(alice: Person, bob: Person) -> None:
    await alice.is_signed_in()
    await alice.write("Good morning")
    await bob.sees("Good morning")
    await alice.edit("Good morning", "Good evening")
    await bob.sees("Good evening")
    await alice.matches_server()
    await alice.delete("Good evening")
    await bob.sees()
    await alice.matches_server()


async def test_alices_second_tab_follows_the_first(alice: Person) -> None:
    second = await alice.open_another_tab()
    await alice.write("In both")
    await second.sees("In both")
    await second.write("From the second")
    await alice.sees("In both", "From the second")
    await second.matches_server()
    await alice.page.close()
    await write(alice.client, "When the first is closed")
    await second.sees("In both", "From the second", "When the first is closed")
    await second.matches_server()


async def test_alice_misses_nothing_after_a_connection_reset(
    alice: Person, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow("")
    before = await write(carol_client, "Before")
    await alice.sees("Before")
    reset_streams(site)
    await delete(carol_client, before)
    await write(carol_client, "Meanwhile")
    await alice.sees("Meanwhile")
    await alice.sees_connection_status("live")
    await alice.write("After")
    await alice.sees("Meanwhile", "After")
    await alice.matches_server()


@pytest.mark.parametrize("engine", ["webkit"] if other_browsers.webkit() else [])
async def test_alice_writes_and_reads_in_webkit(
    engine: str, site: Site, alice_client: httpx.AsyncClient, carol_client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with webkit(alice_client, tmp_path) as alice:
        await alice.go("/Article/1")
        await alice.sign_in()
        await alice.go("/Article/1")
        assert await alice.evaluate("() => parley.account.get('username')") == "Alice"

        comment = await write(carol_client, "From a phone")
        await alice.sees("From a phone")
        await alice.write("My own")
        await alice.sees("From a phone", "My own")
        await delete(carol_client, comment)
        await alice.sees("My own")
        await alice.matches_server()

        first = await alice.current_tab()
        await alice.open_tab("/Article/1")
        await alice.sees("My own")
        await alice.write("From the second tab")
        await alice.switch_to(first)
        await alice.sees("My own", "From the second tab")

        await alice.matches_server()  # the tab shows the comment before the other one has sent it
        await alice.scroll_to_the_end()
        reset_streams(site)
        await write(carol_client, "Meanwhile")
        await alice.sees("My own", "From the second tab", "Meanwhile")
        await alice.click(".comment__delete")
        await alice.click(".comment__delete-yes")
        await alice.sees("From the second tab", "Meanwhile")
        await alice.matches_server()


@pytest.fixture
async def alice_client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with people.person(site, "Alice") as client:
        yield client
