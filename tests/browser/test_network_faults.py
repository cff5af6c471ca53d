"""Network faults: lost responses, proxies that buffer, 502 responses, and machines that sleep."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Route

from tests.browser.network_faults import (
    NETWORK_PAUSE_SECONDS,
    STREAMS,
    advance_clock_until,
    api_unreachable,
    drop_responses,
    pause_clock,
    reset_streams,
    url_of,
    wait_for_streams,
)
from tests.browser.people import SENT, Person
from tests.chaos.proxy import Proxy, Weather
from tests.support.people import delete, edit, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

TRIES = 5  # of one request; the responses to all but the last are lost
OUTAGE_MS = 10_000
HOUR_MS = 3_600_000
SILENCE_MS = 40_000  # without a heartbeat, after which the page replaces the stream
FIRST_EVENT_TIMEOUT_MS = 10_000  # without a first event, after which the page polls
POLLING_MS = 62_000  # after which the page tries a stream again
MINUTE_SECONDS = 60
MAX_READS = 12  # of streams, and of snapshots, in a minute of resets


@pytest.fixture
async def proxied_alice(proxy: Proxy, open_browser: OpenBrowser) -> Person:
    """Alice behind the proxy. The test moves the clock of her pages."""
    return await open_browser("Alice", base_url=url_of(proxy), clock=True)


def count_sent(person: Person, method: str) -> int:
    return len([request for request in person.requests if request.startswith(f"{method} /api/comments")])


# -- lost responses -----------------------------------------------------------------------------------------------


@pytest.mark.virtual_clock
@pytest.mark.parametrize("echo", [False, True], ids=["nor any echo", "but the echo"])
@pytest.mark.parametrize("act", ["POST", "PATCH", "DELETE"])
async def test_alices_change_that_is_sent_five_times_takes_effect_once(
    act: str, echo: bool, alice: Person, site: Site
) -> None:
    if act != "POST":
        await alice.write("First")
        await alice.is_settled()
    if not echo:
        await alice.context.route(STREAMS, lambda route: route.abort())
        reset_streams(site)
    dropped: list[str] = []
    dropped = await drop_responses(alice, lambda request: request.method == act and len(dropped) < TRIES - 1)
    if act == "POST":
        await alice.write("First")
    elif act == "PATCH":
        await alice.edit_in_model("First", "Second")
    else:
        await alice.delete_in_model("First")
    await advance_clock_until(alice, SENT, "the confirmation")

    assert count_sent(alice, act) == TRIES or (echo and count_sent(alice, act) < TRIES)
    await alice.context.unroute_all(behavior="wait")
    await advance_clock_until(alice, "parley.connector.state === 'live'", "the stream")
    bodies = {"POST": ["First"], "PATCH": ["Second"], "DELETE": []}[act]
    assert [comment["body"] for comment in await alice.snapshot()] == bodies
    seqs = [comment["seq"] - comment["created_seq"] for comment in await alice.snapshot()]
    assert seqs == {"POST": [0], "PATCH": [1], "DELETE": []}[act]
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_alices_edit_of_a_comment_without_a_response_is_not_lost(alice: Person, site: Site) -> None:
    """The server has the first text, but its response is lost. The page then sends another text under the same id."""
    await alice.context.route(STREAMS, lambda route: route.abort())
    reset_streams(site)
    dropped: list[str] = []
    dropped = await drop_responses(alice, lambda request: not dropped)
    await alice.write("First")
    await wait_until(lambda: dropped, "the first request")
    await alice.edit_in_model("First", "Second")
    await advance_clock_until(alice, SENT, "the confirmation")
    await alice.context.unroute_all(behavior="wait")
    await advance_clock_until(alice, "parley.connector.state === 'live'", "the stream")
    await alice.sees("Second")
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
@pytest.mark.parametrize("arrived", [True, False])
async def test_alice_deletes_a_comment_without_a_response_for_good(arrived: bool, alice: Person, site: Site) -> None:
    async with api_unreachable(alice, site):
        if arrived:
            dropped: list[str] = []
            dropped = await drop_responses(alice, lambda request: not dropped)
        await alice.write("Regretted")
        await alice.until("parley.outbox.records[0]?.tries > 0", "the first try")
        if arrived:
            await wait_until(lambda: dropped, "the request")
        await alice.delete_in_model("Regretted")
        await alice.sees()
    await advance_clock_until(alice, SENT, "an empty outbox")
    assert await alice.snapshot() == []
    await advance_clock_until(alice, "parley.connector.state === 'live'", "the stream")
    await alice.every_tab_matches_server()
    await alice.reload()
    await alice.every_tab_matches_server()


async def test_alice_and_carol_change_the_thread_while_a_third_of_all_responses_is_lost(
    proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy
) -> None:
    for number in range(6):
        await write(proxied_alice.client, f"a{number}")
    carols = [await write(carol_client, f"c{number}") for number in range(6)]
    await proxied_alice.until("parley.comments.length === 12", "all comments")
    proxy.weather = Weather(losing=True)

    async def alice_does() -> None:
        for number in range(10):
            await proxied_alice.write(f"n{number}")
        for number in range(4):
            await proxied_alice.edit_in_model(f"n{number}", f"n{number} again")
            await proxied_alice.edit_in_model(f"a{number}", f"a{number} again")
        for body in ("n4", "a4"):
            await proxied_alice.delete_in_model(body)

    async def carol_does() -> None:
        news = [await write(carol_client, f"m{number}") for number in range(10)]
        for number in range(4):
            await edit(carol_client, carols[number], f"c{number} again")
            await edit(carol_client, news[number], f"m{number} again")
        for comment in (carols[4], news[4]):
            await delete(carol_client, comment)

    await asyncio.gather(alice_does(), carol_does())
    await advance_clock_until(proxied_alice, SENT, "an empty outbox")
    await advance_clock_until(proxied_alice, "parley.comments.length === 28", "the changes by Carol")
    assert proxy.lost > 5
    proxy.weather = Weather()
    await advance_clock_until(proxied_alice, "parley.connector.state === 'live'", "the stream")
    bodies = [comment["body"] for comment in await proxied_alice.snapshot()]
    assert sorted(bodies) == sorted(
        [f"{who}{number}{' again' if number < 4 else ''}" for who in "ac" for number in range(6) if number != 4]
        + [f"{who}{number}{' again' if number < 4 else ''}" for who in "nm" for number in range(10) if number != 4]
    )
    assert [body[:2] for body in bodies if body[0] == "n"] == [f"n{number}" for number in range(10) if number != 4]
    await proxied_alice.every_tab_matches_server()


# -- proxies, outages and sleep ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{"heartbeat_seconds": 0.5}], indirect=True
)  # the server holds a poll for this time
async def test_alice_polls_behind_a_proxy_that_buffers(
    proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy
) -> None:
    await write(carol_client, "Before")
    await proxied_alice.sees("Before")
    proxy.weather = Weather(buffering=True)
    proxy.cut()
    await proxied_alice.context.clock.fast_forward(SILENCE_MS)
    await proxied_alice.context.clock.fast_forward(FIRST_EVENT_TIMEOUT_MS)
    await proxied_alice.until("parley.connector.state === 'polling'", "the page to poll")
    await proxied_alice.write("From here")
    await write(carol_client, "From there")
    await proxied_alice.until("parley.comments.length === 3", "both comments")
    await proxied_alice.edit_in_model("From here", "From here again")
    await proxied_alice.until(SENT, "an empty outbox")
    assert await proxied_alice.page.evaluate("parley.connector.state") == "polling"
    await proxied_alice.every_tab_matches_server()

    proxy.mend()
    await proxied_alice.context.clock.fast_forward(POLLING_MS)
    await proxied_alice.until("parley.connector.state === 'live'", "a stream")
    await write(carol_client, "Live again")
    await proxied_alice.until("parley.comments.length === 4", "the new comment")
    await proxied_alice.every_tab_matches_server()


async def test_alice_writes_during_ten_seconds_of_502_responses(
    proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy
) -> None:
    before = await write(proxied_alice.client, "Before")
    await proxied_alice.sees("Before")
    proxy.weather = Weather(gateway=True)
    proxy.cut()
    await proxied_alice.write("During")
    await proxied_alice.edit_in_model("Before", "Before, edited")
    await write(carol_client, "Elsewhere")
    await proxied_alice.until("parley.connector.state !== 'live'", "the outage")
    await proxied_alice.context.clock.fast_forward(OUTAGE_MS)
    await proxied_alice.edit_in_model("During", "During, edited")
    assert [comment["body"] for comment in await proxied_alice.snapshot()] == ["Before", "Elsewhere"]
    assert await proxied_alice.bodies() == ["Before, edited", "During, edited"]

    proxy.mend()
    await advance_clock_until(proxied_alice, SENT, "an empty outbox")
    await advance_clock_until(proxied_alice, "parley.connector.state === 'live'", "the stream")
    await proxied_alice.sees("Before, edited", "Elsewhere", "During, edited")
    await proxied_alice.every_tab_matches_server()
    assert before["id"] == (await proxied_alice.snapshot())[0]["id"]


@pytest.mark.parametrize("how", ["torn", "silent"])
async def test_alice_opens_her_laptop_after_an_hour_of_sleep(
    how: str, proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy, site: Site
) -> None:
    comments = [await write(carol_client, body) for body in ("One", "Two")]
    await proxied_alice.sees("One", "Two")
    other = await proxied_alice.open_another_tab()
    await proxied_alice.write("Said while the lid was closing")
    if how == "torn":
        reset_streams(site)
    else:
        proxy.fall_silent()  # also the connections that the browser keeps for requests
    await edit(carol_client, comments[0], "One, changed")
    await delete(carol_client, comments[1])
    await write(carol_client, "Three")
    await proxied_alice.context.clock.fast_forward(HOUR_MS)
    for tab in (proxied_alice, other):  # she opens the lid
        await tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    for tab in (proxied_alice, other):
        await advance_clock_until(tab, f"parley.comments.length === 3 && {SENT}", "the changes of that hour")
        await advance_clock_until(tab, "parley.connector.state === 'live'", "the stream")
    await wait_for_streams(site)
    await proxied_alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_alices_page_slows_down_repeated_resets(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    await write(carol_client, "Before")
    await alice.sees("Before")
    block = 'retry: 1\nid: 0\nevent: reset\ndata: {"topics": ["Article/1"], "reason": "test"}\n\n'

    async def reset(route: Route) -> None:
        await route.fulfill(status=200, content_type="text/event-stream", body=block)

    await alice.context.route(STREAMS, reset)
    reset_streams(site)
    alice.requests.clear()
    await wait_until(lambda: count_reads(alice, "/streams"), "the first reset")
    await pause_clock(alice)
    for _ in range(MINUTE_SECONDS):
        await alice.context.clock.fast_forward(1_000)
        await asyncio.sleep(NETWORK_PAUSE_SECONDS)
    streams, snapshots = count_reads(alice, "/streams"), count_reads(alice, "/api/comments/")
    print(f"{streams} streams and {snapshots} snapshots in a minute of resets")
    assert streams <= MAX_READS
    assert snapshots <= MAX_READS
    await alice.context.clock.resume()

    await alice.context.unroute_all(behavior="wait")
    await write(carol_client, "After")
    await advance_clock_until(alice, "parley.comments.length === 2 && parley.connector.state === 'live'", "the stream")
    await alice.every_tab_matches_server()


def count_reads(person: Person, path: str) -> int:
    return len([request for request in person.requests if request.startswith(f"GET {path}")])
