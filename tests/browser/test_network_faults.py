"""Bad roads: answers that are lost, proxies that buffer, gateways with nobody behind them, machines that sleep."""

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

LOST = 5  # answers to the same request
OUTAGE = 10_000  # milliseconds
HOUR = 3_600_000
UNTIL_SILENT = 40_000  # milliseconds without a heartbeat
UNTIL_HELD_BACK = 10_000  # without a first event
UNTIL_TRIED_AGAIN = 62_000  # of polling
MINUTE = 60  # seconds
MOST_READS = 12  # of streams, and of snapshots, in a minute of resets


@pytest.fixture
async def proxied_alice(proxy: Proxy, open_browser: OpenBrowser) -> Person:
    """Alice, at the end of that road, with a clock that is ours."""
    return await open_browser("Alice", base_url=url_of(proxy), clock=True)


def sent(person: Person, method: str) -> int:
    return len([request for request in person.requests if request.startswith(f"{method} /api/comments")])


# -- answers that are lost ---------------------------------------------------------------------------------------


@pytest.mark.virtual_clock
@pytest.mark.parametrize("echo", [False, True], ids=["nor any echo", "but the echo"])
@pytest.mark.parametrize("act", ["POST", "PATCH", "DELETE"])
async def test_what_is_sent_five_times_takes_effect_once(act: str, echo: bool, alice: Person, site: Site) -> None:
    if act != "POST":
        await alice.write("First")
        await alice.is_settled()
    if not echo:
        await alice.context.route(STREAMS, lambda route: route.abort())
        reset_streams(site)
    lost: list[str] = []
    lost = await drop_responses(alice, lambda request: request.method == act and len(lost) < LOST - 1)
    if act == "POST":
        await alice.write("First")
    elif act == "PATCH":
        await alice.edit_in_model("First", "Second")
    else:
        await alice.remove("First")
    await advance_clock_until(alice, SENT, "it to be confirmed")

    assert sent(alice, act) == LOST or (echo and sent(alice, act) < LOST)
    await alice.context.unroute_all(behavior="wait")
    await advance_clock_until(alice, "parley.connector.state === 'live'", "its stream")
    bodies = {"POST": ["First"], "PATCH": ["Second"], "DELETE": []}[act]
    assert [comment["body"] for comment in await alice.snapshot()] == bodies
    seqs = [comment["seq"] - comment["created_seq"] for comment in await alice.snapshot()]
    assert seqs == {"POST": [0], "PATCH": [1], "DELETE": []}[act]
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_an_edit_of_what_may_have_been_created_is_not_lost(alice: Person, site: Site) -> None:
    """The first text has arrived, its answer has not; what is sent then under the same id is not what is stored."""
    await alice.context.route(STREAMS, lambda route: route.abort())
    reset_streams(site)
    lost: list[str] = []
    lost = await drop_responses(alice, lambda request: not lost)
    await alice.write("First")
    await wait_until(lambda: lost, "the first to arrive")
    await alice.edit_in_model("First", "Second")
    await advance_clock_until(alice, SENT, "it to be confirmed")
    await alice.context.unroute_all(behavior="wait")
    await advance_clock_until(alice, "parley.connector.state === 'live'", "its stream")
    await alice.sees("Second")
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
@pytest.mark.parametrize("arrived", [True, False])
async def test_what_may_have_been_created_is_deleted_for_good(arrived: bool, alice: Person, site: Site) -> None:
    async with api_unreachable(alice, site):
        if arrived:
            lost: list[str] = []
            lost = await drop_responses(alice, lambda request: not lost)
        await alice.write("Regretted")
        await alice.until("parley.outbox.records[0]?.tries > 0", "a try")
        if arrived:
            await wait_until(lambda: lost, "it to arrive")
        await alice.remove("Regretted")
        await alice.sees()
    await advance_clock_until(alice, SENT, "it to be gone")
    assert await alice.snapshot() == []
    await advance_clock_until(alice, "parley.connector.state === 'live'", "its stream")
    await alice.every_tab_matches_server()
    await alice.reload()
    await alice.every_tab_matches_server()


async def test_one_of_three_answers_is_lost_on_the_way(
    proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy
) -> None:
    for number in range(6):
        await write(proxied_alice.client, f"a{number}")
    carols = [await write(carol_client, f"c{number}") for number in range(6)]
    await proxied_alice.until("parley.comments.length === 12", "them")
    proxy.weather = Weather(losing=True)

    async def alice_does() -> None:
        for number in range(10):
            await proxied_alice.write(f"n{number}")
        for number in range(4):
            await proxied_alice.edit_in_model(f"n{number}", f"n{number} again")
            await proxied_alice.edit_in_model(f"a{number}", f"a{number} again")
        for body in ("n4", "a4"):
            await proxied_alice.remove(body)

    async def carol_does() -> None:
        news = [await write(carol_client, f"m{number}") for number in range(10)]
        for number in range(4):
            await edit(carol_client, carols[number], f"c{number} again")
            await edit(carol_client, news[number], f"m{number} again")
        for comment in (carols[4], news[4]):
            await delete(carol_client, comment)

    await asyncio.gather(alice_does(), carol_does())
    await advance_clock_until(proxied_alice, SENT, "all to be sent")
    await advance_clock_until(proxied_alice, "parley.comments.length === 28", "what Carol did")
    assert proxy.lost > 5
    proxy.weather = Weather()
    await advance_clock_until(proxied_alice, "parley.connector.state === 'live'", "its stream")
    bodies = [comment["body"] for comment in await proxied_alice.snapshot()]
    assert sorted(bodies) == sorted(
        [f"{who}{number}{' again' if number < 4 else ''}" for who in "ac" for number in range(6) if number != 4]
        + [f"{who}{number}{' again' if number < 4 else ''}" for who in "nm" for number in range(10) if number != 4]
    )
    assert [body[:2] for body in bodies if body[0] == "n"] == [f"n{number}" for number in range(10) if number != 4]
    await proxied_alice.every_tab_matches_server()


# -- roads that are open, and lead nowhere -----------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"heartbeat_seconds": 0.5}], indirect=True)  # so long a poll without news takes
async def test_behind_a_proxy_that_buffers(
    proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy
) -> None:
    await write(carol_client, "Before")
    await proxied_alice.sees("Before")
    proxy.weather = Weather(buffering=True)
    proxy.cut()
    await proxied_alice.context.clock.fast_forward(UNTIL_SILENT)
    await proxied_alice.context.clock.fast_forward(UNTIL_HELD_BACK)
    await proxied_alice.until("parley.connector.state === 'polling'", "it to poll")
    await proxied_alice.write("From here")
    await write(carol_client, "From there")
    await proxied_alice.until("parley.comments.length === 3", "both ways")
    await proxied_alice.edit_in_model("From here", "From here again")
    await proxied_alice.until(SENT, "it to be sent")
    assert await proxied_alice.page.evaluate("parley.connector.state") == "polling"
    await proxied_alice.every_tab_matches_server()

    proxy.mend()
    await proxied_alice.context.clock.fast_forward(UNTIL_TRIED_AGAIN)
    await proxied_alice.until("parley.connector.state === 'live'", "a stream")
    await write(carol_client, "Live again")
    await proxied_alice.until("parley.comments.length === 4", "what is new")
    await proxied_alice.every_tab_matches_server()


async def test_ten_seconds_of_502(proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy) -> None:
    before = await write(proxied_alice.client, "Before")
    await proxied_alice.sees("Before")
    proxy.weather = Weather(gateway=True)
    proxy.cut()
    await proxied_alice.write("During")
    await proxied_alice.edit_in_model("Before", "Before, edited")
    await write(carol_client, "Elsewhere")
    await proxied_alice.until("parley.connector.state !== 'live'", "the outage")
    await proxied_alice.context.clock.fast_forward(OUTAGE)
    await proxied_alice.edit_in_model("During", "During, edited")
    assert [comment["body"] for comment in await proxied_alice.snapshot()] == ["Before", "Elsewhere"]
    assert await proxied_alice.bodies() == ["Before, edited", "During, edited"]

    proxy.mend()
    await advance_clock_until(proxied_alice, SENT, "all to be sent")
    await advance_clock_until(proxied_alice, "parley.connector.state === 'live'", "its stream")
    await proxied_alice.sees("Before, edited", "Elsewhere", "During, edited")
    await proxied_alice.every_tab_matches_server()
    assert before["id"] == (await proxied_alice.snapshot())[0]["id"]


@pytest.mark.parametrize("how", ["torn", "silent"])
async def test_an_hour_of_sleep(
    how: str, proxied_alice: Person, carol_client: httpx.AsyncClient, proxy: Proxy, site: Site
) -> None:
    comments = [await write(carol_client, body) for body in ("One", "Two")]
    await proxied_alice.sees("One", "Two")
    other = await proxied_alice.open_another_tab()
    await proxied_alice.write("Said while the lid was closing")
    if how == "torn":
        reset_streams(site)
    else:
        proxy.fall_silent()  # and so is what REST was about to reuse
    await edit(carol_client, comments[0], "One, changed")
    await delete(carol_client, comments[1])
    await write(carol_client, "Three")
    await proxied_alice.context.clock.fast_forward(HOUR)
    for tab in (proxied_alice, other):  # somebody opens the lid
        await tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    for tab in (proxied_alice, other):
        await advance_clock_until(tab, f"parley.comments.length === 3 && {SENT}", "what happened meanwhile")
        await advance_clock_until(tab, "parley.connector.state === 'live'", "its stream")
    await wait_for_streams(site)
    await proxied_alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_resets_in_a_loop_are_slowed(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    await write(carol_client, "Before")
    await alice.sees("Before")
    block = 'retry: 1\nid: 0\nevent: reset\ndata: {"topics": ["Article/1"], "reason": "test"}\n\n'

    async def reset(route: Route) -> None:
        await route.fulfill(status=200, content_type="text/event-stream", body=block)

    await alice.context.route(STREAMS, reset)
    reset_streams(site)
    alice.requests.clear()
    await wait_until(lambda: reads(alice, "/streams"), "the first reset")
    for _ in range(MINUTE):
        await alice.context.clock.fast_forward(1_000)
        await asyncio.sleep(NETWORK_PAUSE_SECONDS)
    streams, snapshots = reads(alice, "/streams"), reads(alice, "/api/comments/")
    print(f"{streams} streams and {snapshots} snapshots in a minute of resets")
    assert streams <= MOST_READS
    assert snapshots <= MOST_READS

    await alice.context.unroute_all(behavior="wait")
    await write(carol_client, "After")
    await advance_clock_until(
        alice, "parley.comments.length === 2 && parley.connector.state === 'live'", "the end of it"
    )
    await alice.every_tab_matches_server()


def reads(person: Person, path: str) -> int:
    return len([request for request in person.requests if request.startswith(f"GET {path}")])
