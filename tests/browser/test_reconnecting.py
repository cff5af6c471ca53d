"""Reconnecting: whatever happens to the stream, the page ends up with the state of the server."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route

from app.main import create_app
from tests.browser.network_faults import STREAMS, reset_streams
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import delete, edit, write
from tests.support.serving import serving
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.settings import Settings
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site


async def make_ten_changes(carol_client: httpx.AsyncClient, *comments: dict[str, str]) -> None:
    first, second, third, fourth = comments
    await edit(carol_client, first, "the first, changed")
    await write(carol_client, "a fifth")
    await delete(carol_client, second)
    sixth = await write(carol_client, "a sixth")
    await edit(carol_client, first, "the first, changed again")
    await delete(carol_client, sixth)
    await edit(carol_client, fourth, "the fourth, changed")
    seventh = await write(carol_client, "a seventh")
    await edit(carol_client, seventh, "a seventh, changed")
    await delete(carol_client, third)


@pytest.mark.parametrize("how", ["closed", "torn", "offline"])
async def test_alice_catches_up_with_ten_changes_without_a_snapshot(
    how: str, alice: Person, carol_client: httpx.AsyncClient, site: Site, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    four = [await write(carol_client, body) for body in ("one", "two", "three", "four")]
    await alice.sees("one", "two", "three", "four")

    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await alice.context.route(STREAMS, hold)  # the next stream opens after all changes, however long these take
    if how == "closed":
        await alice.page.evaluate("parley.connector.close()")
    if how == "offline":
        await alice.context.set_offline(True)
    reset_streams(site)
    await make_ten_changes(carol_client, *four)
    assert await alice.bodies() == ["one", "two", "three", "four"]
    released.set()
    if how == "closed":
        await alice.page.evaluate("parley.connector.resume()")
    if how == "offline":
        await alice.context.set_offline(False)

    await alice.sees("the first, changed again", "the fourth, changed", "a fifth", "a seventh, changed")
    await alice.matches_server()
    assert not [request for request in alice.requests if request.startswith("GET /api/")]


async def test_alice_keeps_her_own_changes_from_while_she_had_no_stream(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await alice.write("Written with a stream")
    await alice.is_settled()
    await alice.page.evaluate("parley.connector.close()")
    await write(carol_client, "Unseen")
    await alice.write("Written without a stream")
    await alice.is_settled()
    await alice.edit("Written with a stream", "Edited without a stream")
    await alice.is_settled()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("Edited without a stream", "Unseen", "Written without a stream")
    await alice.matches_server()


async def test_alices_page_fetches_a_snapshot_after_an_invalid_cursor(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    one, two = [await write(carol_client, body) for body in ("one", "two")]
    await alice.sees("one", "two")
    await alice.page.evaluate("parley.connector.close()")
    await edit(carol_client, one, "one, changed")
    await delete(carol_client, two)
    await write(carol_client, "three")
    await alice.page.evaluate("parley.connector.open(['Article/1'], ['broken'])")
    await alice.sees("one, changed", "three")
    await alice.matches_server()
    assert len([request for request in alice.requests if request.startswith("GET /api/comments/")]) == 1
    await write(carol_client, "four")
    await alice.sees("one, changed", "three", "four")


async def test_alice_and_bob_reconnect_to_a_restarted_server(
    alice: Person, bob: Person, site: Site, settings: Settings, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await alice.write("Before")
    await bob.sees("Before")
    site.stop()
    await wait_until(lambda: _is_down(site), "the end of the server")
    await alice.write("During")
    await bob.sees_connection_status("reconnecting")

    async with serving(create_app(settings), port=urlsplit(site.url).port):  # stands for a new process
        await alice.sees_connection_status("live")
        await bob.sees_connection_status("live")
        await bob.write("After")
        for person in (alice, bob):
            await person.until("parley.comments.length === 3", "all three")
            await person.matches_server()
        await alice.context.close()
        await bob.context.close()


def _is_down(site: Site) -> bool:
    address = urlsplit(site.url)
    with socket.socket() as caller:
        refused = caller.connect_ex((str(address.hostname), int(address.port or 0))) != 0
    return refused and not site.server.server_state.connections


async def test_alice_gets_a_stream_after_two_were_refused(
    alice: Person, carol_client: httpx.AsyncClient, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    refusals = []

    async def refuse_twice(route: Route) -> None:
        if len(refusals) == 2:
            await route.continue_()
        else:
            refusals.append(route)
            await route.fulfill(status=503)  # this ends an EventSource for good

    await alice.page.route("**/streams?*", refuse_twice)
    await alice.page.evaluate("parley.connector.close()")
    await write(carol_client, "Unseen")
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("Unseen")
    assert len(refusals) == 2
    await alice.matches_server()


# -- with a clock that the test moves ---------------------------------------------------------------------


@pytest.mark.virtual_clock
async def test_alices_silent_stream_is_replaced(alice: Person, carol_client: httpx.AsyncClient) -> None:
    streams = alice.streams
    await alice.page.clock.fast_forward(10_000)
    assert alice.streams == streams
    await alice.page.clock.fast_forward(40_000)
    await wait_until(lambda: len(alice.streams) == len(streams) + 1, "a second stream")
    assert "cursor=" in alice.streams[-1]
    await write(carol_client, "Live again")
    await alice.sees("Live again")


@pytest.mark.virtual_clock
async def test_alices_page_polls_while_a_proxy_buffers_the_stream(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    released = asyncio.Event()

    async def hold_streams(route: Route) -> None:
        if "once=1" not in route.request.url:
            await released.wait()
        await route.continue_()

    await alice.page.route("**/streams?*", hold_streams)
    await alice.page.reload()
    await alice.sees_connection_status("connecting")
    await alice.page.clock.fast_forward(9_000)
    for body in ("One", "Two", "Three"):
        await write(carol_client, body)
        await alice.until(f"parley.comments.some((comment) => comment.get('body') === '{body}')", f"“{body}”")
    await alice.sees_connection_status("polling")
    await alice.matches_server()

    released.set()
    await alice.page.clock.fast_forward(61_000)
    await wait_until(lambda: "once" not in alice.streams[-1], "a stream without polling")
    await write(carol_client, "Four")
    await alice.sees("One", "Two", "Three", "Four")


# -- the connection status ------------------------------------------------------------------------------------


async def test_a_guest_sees_no_connection_status_on_a_page_without_a_stream(open_browser: OpenBrowser) -> None:
    guest = await open_browser(at="/account")
    await guest.sees_connection_status("idle")
    assert not await guest.page.locator(".light").is_visible()


# Chromium's offline mode does not close open streams, so presence is off: no event may arrive on this one.
@pytest.mark.parametrize("settings", [{"presence": False}], indirect=True)
async def test_alice_sees_each_state_of_the_connection(alice: Person, site: Site, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    light = alice.page.locator(".light__words")
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await alice.page.route("**/streams?*", hold)
    await alice.page.reload()
    await alice.sees_connection_status("connecting")
    assert not await light.is_visible()
    released.set()
    await alice.sees_connection_status("live")

    released.clear()
    reset_streams(site)
    await alice.sees_connection_status("reconnecting")
    await alice.until(
        "document.querySelector('.light').dataset.says === 'reconnecting'", "the status after three seconds"
    )
    assert await light.inner_text() == "Reconnecting…"
    released.set()
    await alice.sees_connection_status("live")

    await alice.context.set_offline(True)
    await alice.sees_connection_status("offline")
    await alice.until(
        "document.querySelector('.light__words').textContent.startsWith(\"You're offline\")", "the status offline"
    )
    await alice.context.set_offline(False)
    await alice.sees_connection_status("live")

    await alice.page.evaluate("parley.connector.close()")
    await alice.sees_connection_status("idle")
